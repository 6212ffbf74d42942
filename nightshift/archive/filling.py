"""A night's bag filled with what belongs there, batch after batch; a process that is killed is gone on from there."""

from collections.abc import Sequence
from dataclasses import dataclass

from nightshift.archive.alerts_tar import AlertsTar
from nightshift.archive.bags import Held, bag_name, contents, held_files, payload_name
from nightshift.archive.description import describe
from nightshift.archive.night_folder import Entry, NightFolder, has_size
from nightshift.archive.placing import Placed, in_batches, in_threads, is_same_file, make_durable, place
from nightshift.archive.wanted import Wanted, wanted_files
from nightshift.errors import NeedsOperator
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries.archive import Bag

__all__ = ["Filled", "fill"]


@dataclass(frozen=True)
class Filled:
    """What was done.

    Parameters
    ----------
    added : int
        Files that the archive got.
    faults : tuple of str
        Of what it could not get, for a human.
    """

    added: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Due:
    """A file that is to be placed.

    Parameters
    ----------
    wanted : Wanted
    path : str
        Below the archive.
    """

    wanted: Wanted
    path: str


def fill(night: NightFolder) -> Filled:
    """Bring all that belongs into the night's bag and describe it there.

    What is there stays. Where the last version is sealed and something came or changed since, the next version is
    begun. One process a night may do it at a time.

    Raises
    ------
    OSError
        If the archive does not take it: what was done before stays done.
    """
    held = contents(held_files(night.rows(), night.below))
    wanted = list(wanted_files(night.context, night.night))
    new = [file for file in wanted if _is_new(night, file, held.get(file.source))]
    alerts = AlertsTar.of(night)
    alerts_due = alerts.is_due(held)
    bag = _bag_to_fill(night, bool(held), bool(new) or alerts_due)
    if bag is None:
        return Filled()
    names = {file.source for file in new}
    _carry(night, bag, [file for name, file in held.items() if file.version < bag.version and name not in names])
    due = [_Due(file, _path_in(night, bag, file.source)) for file in new]
    rest = (file for file in wanted if file.source not in names)
    due += [_Due(file, held[file.source].row.path) for file in rest if not night.is_there(held[file.source].row)]
    if due or alerts_due:
        archive_queries.set_complete(night.context.ledger, **night.key, version=bag.version, complete=False)
    added, faults = _place_all(night, due)
    if alerts_due:
        try:
            added += alerts.put(bag)
        except NeedsOperator as error:
            faults.append(str(error))
    if not bag.sealed_at and (due or alerts_due or not bag.complete):
        describe(night, bag)
    return Filled(added, tuple(faults))


def _path_in(night: NightFolder, bag: Bag, name: str) -> str:
    return f"{night.below}/{bag.name}/{payload_name(name)}"


def _is_new(night: NightFolder, wanted: Wanted, known: Held | None) -> bool:
    """Whether the archive does not hold this content of the file."""
    if known is None:
        return True
    if wanted.sha256 is not None:
        return wanted.sha256 != known.row.sha256
    return not has_size(night.context.depot.root / wanted.source, known.row.bytes, if_gone=True)


def _bag_to_fill(night: NightFolder, is_begun: bool, has_new: bool) -> Bag | None:
    """Return the version that what is new goes into; None where there is nothing yet."""
    bags = night.bags()
    last = bags[-1] if bags else None
    if last is not None and not (last.sealed_at and has_new):
        return last
    if not (is_begun or has_new):
        return None
    version = last.version + 1 if last else 1
    name = bag_name(night.context, night.night, version)
    begun_at = night.context.clock.now()
    archive_queries.begin_bag(night.context.ledger, **night.key, version=version, folder=name, begun_at=begun_at)
    return night.bags()[-1]


def _carry(night: NightFolder, bag: Bag, files: Sequence[Held]) -> None:
    """Let the bag have what earlier versions brought and nothing took the place of."""
    folder = night.path / bag.name

    def bring(file: Held) -> None:
        source, target = night.place_of(file.row), folder / payload_name(file.name)
        if is_same_file(source, target) or (bag.complete and has_size(target, file.row.bytes)):
            return
        place(source, target, night.unfinished, sha256=file.row.sha256, size=file.row.bytes)

    faults = []
    for batch in in_batches(files, lambda file: file.row.bytes):
        for _, outcome in in_threads(bring, batch, night.context.archive_policy.threads):
            if isinstance(outcome, NeedsOperator):
                faults.append(str(outcome))
    night.call(faults)


def _place_all(night: NightFolder, due: Sequence[_Due]) -> tuple[int, list[str]]:
    """Place files and enter them, a transaction a batch; return how many, and what a human must mend."""
    added, faults = 0, []

    def bring(one: _Due) -> Placed:
        source = night.source(one.wanted.source)
        target = night.root / one.path
        return place(source, target, night.unfinished, sha256=one.wanted.sha256, size=one.wanted.bytes)

    for batch in in_batches(due, lambda one: one.wanted.bytes or 0):
        entries = []
        for one, outcome in in_threads(bring, batch, night.context.archive_policy.threads):
            if isinstance(outcome, NeedsOperator):
                faults.append(str(outcome))
            else:
                wanted = one.wanted
                entries.append(Entry(one.path, wanted.kind, wanted.source, outcome.sha256, outcome.bytes))
        make_durable(night.path)
        added += night.enter(entries)
    return added, faults
