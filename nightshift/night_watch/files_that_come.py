"""Whether files come: of the site at all, and of every detector."""

from collections.abc import Iterator

from nightshift.ledger.queries import night_watch as queries
from nightshift.night_watch.watches import Alarm, OpenNight, watch
from nightshift.observing_calendar.in_force import in_force
from nightshift.sun import sunset_and_sunrise
from nightshift.vocabulary import CalendarKind

__all__ = ["no_files", "silent_detectors"]

NO_FILES_AWAITED = frozenset({CalendarKind.DOWNTIME, CalendarKind.ENGINEERING})


@watch("no_files", over="files_come", over_message="Files come again.", of_site=True)
def no_files(watched: OpenNight) -> list[Alarm]:
    """Tell of a site of which nothing comes while it is dark and it is not announced that it does not observe."""
    context = watched.context
    if not _is_dark(watched) or _does_not_observe(watched):
        return []
    quiet_s = queries.quiet_s(context.ledger, site=context.site.name, night=watched.night)
    if quiet_s is None or quiet_s <= watched.policy.no_file_s:
        return []
    return [Alarm(context.site.name, f"No frame of {context.site.name} has come for {quiet_s / 60:.0f} minutes.")]


def _is_dark(watched: OpenNight) -> bool:
    times = sunset_and_sunrise(watched.context.site, watched.night)
    return times is not None and times[0] <= watched.context.clock.now() < times[1]


def _does_not_observe(watched: OpenNight) -> bool:
    """Whether the calendar has downtime or engineering time of each of the site's instruments now."""
    ledger, now = watched.context.ledger, watched.context.clock.now()
    return all(
        {entry.kind for entry in in_force(ledger, survey, now).entries} & NO_FILES_AWAITED
        for survey in watched.context.deployment.surveys
    )


@watch("detector_silent", over="detector_heard", over_message="Its frames come again.")
def silent_detectors(watched: OpenNight) -> Iterator[Alarm]:
    """Tell of each detector of which no frame came in any of the last exposures that others have frames of."""
    survey = watched.context.survey
    silent = queries.silent_detectors(
        watched.context.ledger, instrument=survey.camera.instrument, night=watched.night,
        wait_s=survey.exposure.detectors_wait_s, exposures=watched.policy.exposures,
    )  # fmt: skip
    for row in silent:
        name = f"{survey.camera.instrument}/d{row.detector:02d}"
        yield Alarm(name, f"Detector {name} sent no frame of the last {watched.policy.exposures} exposures.")
