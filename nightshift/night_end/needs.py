"""What of a night needs a human, in sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nightshift.ledger.queries.night_end import (
    AlertsInState,
    KnownReason,
    LoudEvent,
    MastersOfKind,
    QuarantinedFile,
    UnitOfNight,
)
from nightshift.night_end.close import Verdict
from nightshift.vocabulary import AlertState, ErrorClass, EventLevel, UnitState

__all__ = ["Findings", "needs_of"]


@dataclass(frozen=True)
class Findings:
    """What is asked whether it needs a human.

    Parameters
    ----------
    outcome : Verdict
    reasons : mapping of str to KnownReason
        By their code.
    quarantine : sequence of QuarantinedFile
    units : sequence of UnitOfNight
    masters : sequence of (str, MastersOfKind)
        Each with the camera's name, which is empty where the site has one.
    alerts : mapping of AlertState to AlertsInState
    events : sequence of LoudEvent
    """

    outcome: Verdict
    reasons: Mapping[str, KnownReason]
    quarantine: Sequence[QuarantinedFile]
    units: Sequence[UnitOfNight]
    masters: Sequence[tuple[str, MastersOfKind]]
    alerts: Mapping[AlertState, AlertsInState]
    events: Sequence[LoudEvent]

    def needs_operator(self, reason: str | None) -> bool:
        """Whether a reason asks for a human."""
        return reason is not None and self.reasons[reason].error_class is ErrorClass.NEEDS_OPERATOR


def needs_of(found: Findings) -> list[str]:
    """Return what needs a human, most urgent first, each once."""
    lines = [f"{line[0].upper()}{line[1:]}." for line in found.outcome.reasons]
    lines += [
        f"{event.message}{_times(event.times)}"
        for event in found.events
        if event.level in (EventLevel.PAGE, EventLevel.ERROR)
    ]
    for part in (_of_files_and_units, _of_flags, _of_masters, _of_alerts):
        lines += part(found)
    if names := found.outcome.accounts.unlisted:
        lines.append(f"{_count(len(names), 'registered file')} not on the manifest. First: {names[0].subject}.")
    return list(dict.fromkeys(lines))


def _of_files_and_units(found: Findings) -> Iterator[str]:
    """Tell of each reason that asks for a human which files, and which units without such a file, ended by it."""
    sent = found.outcome.accounts.sent.parts
    tally: dict[tuple[str, str | None], list[str]] = {}
    for file in sent["missing"] + sent["corrupt"]:
        tally.setdefault(("file", file.reason), []).append(file.subject)
    for row in found.quarantine:
        if row.inbox_name not in tally.get(("file", row.reason), []):
            tally.setdefault(("file", row.reason), []).append(row.inbox_name)
    for unit in found.units:
        if unit.state is not UnitState.PROCESSED and not tally.get(("file", unit.reason)):
            tally.setdefault(("unit", unit.reason), []).append(unit.unit_key)
    for (what, reason), subjects in tally.items():
        if reason is not None and found.needs_operator(reason):
            yield f"{_count(len(subjects), what)}: {found.reasons[reason].sentence} First: {subjects[0]}."


def _of_flags(found: Findings) -> Iterator[str]:
    processed = [unit for unit in found.units if unit.state is UnitState.PROCESSED]
    flagged = [(flag, unit.unit_key) for unit in processed for flag in unit.flags if found.needs_operator(flag)]
    for reason, count in Counter(flag for flag, _ in flagged).items():
        first = next(key for flag, key in flagged if flag == reason)
        yield f"{_count(count, 'processed unit')}: {found.reasons[reason].sentence} First: {first}."


def _of_masters(found: Findings) -> Iterator[str]:
    for camera, row in found.masters:
        if row.in_service < row.masters:
            name = " ".join(word for word in (row.kind, row.filter, camera) if word)
            why = " ".join(found.reasons[reason].sentence for reason in row.reasons)
            yield f"Master {name}: {row.in_service} of {row.masters} in service. {why}".strip()


def _of_alerts(found: Findings) -> Iterator[str]:
    if withheld := found.alerts.get(AlertState.WITHHELD):
        yield f"{_count(withheld.alerts, 'alert')} withheld: look at them, then release or drop them."
    unsent = sum(found.alerts[s].alerts for s in (AlertState.HELD, AlertState.RELEASED) if s in found.alerts)
    if unsent:
        yield f"{_count(unsent, 'alert')} not sent: see whether the broker takes messages."


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
