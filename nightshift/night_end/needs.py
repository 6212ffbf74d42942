"""What of a night needs a person: in a sentence, with what to do first and the command for it."""

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
from nightshift.night_end.commands_to_copy import Commands
from nightshift.night_end.report_elements import ALERTS, ARCHIVE, BOOKS, EVENTS, FILES, FLAGGED, MASTERS, UNITS, Need
from nightshift.vocabulary import AlertState, ErrorClass, EventLevel, UnitState, event_kind
from nightshift.workflow.subjects import NIGHT_DAG

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


def needs_of(found: Findings, commands: Commands) -> list[Need]:
    """Return what needs a person, most urgent first, each once."""
    needs = [_of_outcome(reason, commands) for reason in found.outcome.reasons]
    loud = [event for event in found.events if event.level in (EventLevel.PAGE, EventLevel.ERROR)]
    needs += [_of_event(event, commands) for event in loud]
    for part in (_of_files_and_units, _of_flags, _of_masters, _of_alerts):
        needs += part(found, commands)
    if names := found.outcome.accounts.unlisted:
        needs.append(
            Need(
                f"{_count(len(names), 'registered file')} not on the manifest. First: {names[0].subject}.",
                command=commands.of_thing("explain", names[0].subject),
                section=FILES,
            )
        )
    return list({need.sentence: need for need in needs}.values())


def _of_outcome(reason: str, commands: Commands) -> Need:
    """Tell of what keeps the night from closing; what is said of the archive begins with its name."""
    of_archive = reason.startswith("archive:")
    return Need(
        f"{reason[0].upper()}{reason[1:]}.",
        command=commands.of_night("verify" if of_archive else "account"),
        section=ARCHIVE if of_archive else BOOKS,
        workflow=NIGHT_DAG,
    )


def _of_event(event: LoudEvent, commands: Commands) -> Need:
    kind = event_kind(event.kind)
    step = kind.first_step if kind else ""
    return Need(f"{event.message}{_times(event.times)}", step, commands.of_event(event), EVENTS)


def _of_files_and_units(found: Findings, commands: Commands) -> Iterator[Need]:
    """Tell of each reason that asks for a person which files, and which units without such a file, ended by it."""
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
            yield Need(
                f"{_count(len(subjects), what)}: {found.reasons[reason].sentence} First: {subjects[0]}.",
                command=commands.of_thing("explain", subjects[0]),
                section=FILES if what == "file" else UNITS,
            )


def _of_flags(found: Findings, commands: Commands) -> Iterator[Need]:
    processed = [unit for unit in found.units if unit.state is UnitState.PROCESSED]
    flagged = [(flag, unit.unit_key) for unit in processed for flag in unit.flags if found.needs_operator(flag)]
    for reason, count in Counter(flag for flag, _ in flagged).items():
        first = next(key for flag, key in flagged if flag == reason)
        yield Need(
            f"{_count(count, 'processed unit')}: {found.reasons[reason].sentence} First: {first}.",
            command=commands.of_thing("explain", first),
            section=FLAGGED,
        )


def _of_masters(found: Findings, commands: Commands) -> Iterator[Need]:
    for camera, row in found.masters:
        if row.in_service < row.masters:
            name = " ".join(word for word in (row.kind, row.filter, camera) if word)
            why = " ".join(found.reasons[reason].sentence for reason in row.reasons)
            yield Need(
                f"Master {name}: {row.in_service} of {row.masters} in service. {why}".strip(),
                command=commands.of_thing("explain", row.first_not_in_service or ""),
                section=MASTERS,
            )


def _of_alerts(found: Findings, commands: Commands) -> Iterator[Need]:
    if withheld := found.alerts.get(AlertState.WITHHELD):
        yield Need(
            f"{_count(withheld.alerts, 'alert')} withheld: look at them, then release or drop them.",
            command=commands.of_thing("inspect", withheld.first_unit),
            section=ALERTS,
        )
    unsent = sum(found.alerts[s].alerts for s in (AlertState.HELD, AlertState.RELEASED) if s in found.alerts)
    if unsent:
        yield Need(
            f"{_count(unsent, 'alert')} not sent: see whether the broker takes messages.",
            command="nightshift alerts post",
            section=ALERTS,
        )


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
