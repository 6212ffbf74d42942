"""Which exposures of the inbox one array takes in: a new one alone, those of a backlog together.

A span is a stretch of the exposures in the inbox, the newest first: the exposure that names it, and those behind it
up to the ``oldest``. It is as long as what goes before it in the inbox, within the survey's limit. So the newest
exposure is seen at once, no exposure waits for much more than the work that lies before it, and most of a long
backlog goes in long arrays, each task of which starts Python once for many files. What would be less than a span at
the end goes with the one before it: a short array that begins last would end before a long one that began earlier.
"""

from collections.abc import Iterator, Mapping, Sequence

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.kinds.ingest.inbox_files import DueFile, Group, InboxFile, due_files
from nightshift.ledger.queries import runs as run_queries
from nightshift.workflow.due_runs import stale_after_s
from nightshift.workflow.subjects import Subject, subject_of

__all__ = ["due_spans", "exposures_of", "subject_that_tried"]

Groups = Mapping[Group, list[InboxFile]]


def due_spans(context: Context, groups: Groups) -> Iterator[dict[str, str]]:
    """Yield the `conf` of each array to ask for now, that with the newest exposure first.

    Never more than ``ingest.at_once`` from the newest exposure on, those that are under way among them: in a backlog
    whatever comes next goes before what waits.

    Parameters
    ----------
    context : Context
        Of one instrument.
    groups : mapping
        The files of the inbox by exposure, the newest first.
    """
    exposures, under_way = list(groups), _under_way(context, groups)
    limit = context.survey.ingest
    asked: set[str] = set()
    place = ahead = 0
    while place < len(exposures) and len(asked) < limit.at_once:
        if exposures[place] in under_way:
            asked.add(under_way[exposures[place]])
            place, ahead = place + 1, ahead + 1
            continue
        stretch = _free_stretch(exposures[place:], under_way, min(max(ahead, 1), limit.exposures_per_array))
        due = due_files(context, [file for group in stretch for file in groups[group]])
        for subject in _subjects(due):
            if subject.job_key not in asked:
                asked.add(subject.job_key)
                yield {name: value for name, value in subject.conf if name != "campaign"}
        place, ahead = place + len(stretch), ahead + len({entry.file.group for entry in due})


def _under_way(context: Context, groups: Groups) -> dict[Group, str]:
    """Return the exposures for which a run is under way, each with the run's subject."""
    runs = run_queries.runs_under_way(
        context.ledger, dag_id="ingest", instrument=context.survey.camera.instrument, stale_s=stale_after_s(context)
    )
    return {group: run.subject for run in runs for group in exposures_of(run.conf, groups)}


def _free_stretch(exposures: Sequence[Group], under_way: Mapping[Group, str], most: int) -> Sequence[Group]:
    """Return the first `most` exposures, or all up to the next that is under way if they are less than twice that."""
    taken = (place for place, group in enumerate(exposures[: 2 * most]) if group in under_way)
    free = next(taken, len(exposures))
    return exposures[: free if free < 2 * most else most]


def _subjects(due: Sequence[DueFile]) -> Iterator[Subject]:
    """Yield the subjects of some files of the inbox: those of jobs that have tried before, then one for the rest."""
    yield from dict.fromkeys(subject_that_tried(entry) for entry in due if entry.tried_by)
    fresh = [entry.file.group for entry in due if not entry.tried_by]
    if fresh:
        (instrument, newest), (_, oldest) = fresh[0], fresh[-1]
        span = {"instrument": instrument, "exposure_id": newest, "oldest": oldest if oldest != newest else ""}
        yield subject_of("ingest", span)


def subject_that_tried(entry: DueFile) -> Subject:
    """Return the subject of the job that has tried to take a file in before."""
    return Subject.parse("ingest", entry.tried_by, LIVE)


def exposures_of(conf: Mapping[str, str], groups: Groups) -> Sequence[Group]:
    """Return the exposures of a span that lie in the inbox, the newest first; none where an end of it has left."""
    newest = (conf["instrument"], conf["exposure_id"])
    oldest = (conf["instrument"], conf.get("oldest") or conf["exposure_id"])
    exposures = list(groups)
    if newest not in groups or oldest not in groups:
        return ()
    return exposures[exposures.index(newest) : exposures.index(oldest) + 1]
