"""Entries of the calendar: filled from the settings, added and ended by people."""

from dataclasses import dataclass
from datetime import date, datetime

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.ledger import Ledger
from nightshift.ledger.queries import calendar as calendar_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.calendar import Entry
from nightshift.nights import night_bounds
from nightshift.observing_calendar.in_force import WORDS, expect_anew
from nightshift.settings import Deployment, SettingsError
from nightshift.settings.calendar_table import check_scope, check_span, load_calendar
from nightshift.vocabulary import CalendarKind, EventLevel, Reason

__all__ = [
    "NewEntry",
    "add_entry",
    "end_entry",
    "entries_of_night",
    "fill_from_settings",
    "fill_where_it_reads",
    "told",
]


@dataclass(frozen=True)
class NewEntry:
    """What a person enters.

    Parameters
    ----------
    kind : CalendarKind
    begins : datetime
        Aware.
    ends : datetime or None
        The first moment after it; None: until somebody ends it.
    reason : str
    site, instrument, detector
        Of what; None: all of them, or the only one.
    announced : bool
    """

    kind: CalendarKind
    begins: datetime
    ends: datetime | None
    reason: str
    site: str | None = None
    instrument: str | None = None
    detector: int | None = None
    announced: bool = True


def fill_from_settings(ledger: Ledger, deployment: Deployment, now: datetime) -> int:
    """Have the ledger hold what calendar.toml holds, and return how many entries that changed. May run again.

    Parameters
    ----------
    ledger : Ledger
    deployment : Deployment
        Of the whole survey.
    now : datetime
        What has ended by then stays in the ledger, also where the file holds it no more.

    Raises
    ------
    nightshift.settings.SettingsError
        If the file does not read; nothing is changed.
    """
    entries, changed = load_calendar(deployment), 0
    with ledger.transaction():
        for entry in entries:
            assert entry.site is not None  # it was settled when it was read
            changed += calendar_queries.put_settings_entry(
                ledger, kind=entry.kind, site=entry.site, instrument=entry.instrument, detector=entry.detector,
                begins=entry.begins, ends=entry.ends, reason=entry.reason, announced=entry.announced,
                settings_key=entry.settings_key,
            )  # fmt: skip
        keys = [entry.settings_key for entry in entries]
        for site in deployment.sites:
            changed += calendar_queries.withdraw_settings_entries(ledger, site=site.name, settings_keys=keys, now=now)
        if changed:
            for survey in deployment.surveys:
                expect_anew(ledger, survey)
    return changed


def fill_where_it_reads(ledger: Ledger, deployment: Deployment, now: datetime) -> str:
    """Do as `fill_from_settings`; where the file does not read, return why: what it held still holds then."""
    try:
        fill_from_settings(ledger, deployment, now)
    except SettingsError as error:
        return f"{error}\nThe calendar stays as it was: correct the file."
    return ""


def entries_of_night(ledger: Ledger, context: Context, night: date) -> list[Entry]:
    """Return what holds at a context's site at some time of a night, the earliest first."""
    first, last = night_bounds(context.site, night)
    return calendar_queries.entries(ledger, site=context.site.name, first=first, last=last)


def add_entry(context: Context, new: NewEntry, *, operator: str, account: str = "") -> int:
    """Enter what a person announces, and return its number.

    Exposures that are still waited for expect what is in service from then on. What was taken before and registered
    already stays as it is.

    Parameters
    ----------
    context : Context
    new : NewEntry
    operator : str
        Who says so.
    account : str
        Of the machine, where the operator's name is only said.

    Raises
    ------
    BadInput
        If it names what the survey does not have, ends before it begins, or lacks a name or a reason.
    """
    _check_said(operator, new.reason)
    try:
        site, instrument = check_scope(
            context.deployment, new.kind, site=new.site, instrument=new.instrument, detector=new.detector
        )
        check_span(new.begins, new.ends)
        if new.detector is not None and new.kind is not CalendarKind.OUT_OF_SERVICE:
            raise ValueError(f"a detector can be out of service; {WORDS[new.kind]} is an instrument's or a site's")
    except ValueError as error:
        raise BadInput(Reason.INTERNAL_ERROR, f"{error}. Nothing was entered") from error
    with context.ledger.transaction():
        entry_id = calendar_queries.put_entry(
            context.ledger, kind=new.kind, site=site, instrument=instrument, detector=new.detector,
            begins=new.begins, ends=new.ends, reason=new.reason, announced=new.announced, operator=operator,
        )  # fmt: skip
        entry = calendar_queries.entry(context.ledger, site=site, entry_id=entry_id)
        assert entry is not None
        _write_down(
            context, entry, "calendar_add", f"{operator} enters: {told(entry)}", operator, new.reason, account
        )
        _expect_anew(context, entry)
    return int(entry_id)


def end_entry(
    context: Context, entry_id: int, ends: datetime, *, operator: str, reason: str, account: str = ""
) -> Entry:
    """End what holds, or take back what has not begun, and return the entry as it is then.

    Raises
    ------
    BadInput
        If the site has no such entry, it has ended, or a name or a reason is missing.
    """
    _check_said(operator, reason)
    site = context.site.name
    with context.ledger.transaction():
        if not calendar_queries.end_entry(
            context.ledger, site=site, entry_id=entry_id, ends=ends, operator=operator, reason=reason
        ):
            known = calendar_queries.entry(context.ledger, site=site, entry_id=entry_id)
            why = f"it ended at {known.ends:%Y-%m-%d %H:%M} UTC" if known else f"{site} has no such entry"
            raise BadInput(
                Reason.INTERNAL_ERROR, f"entry {entry_id}: {why}; `nightshift calendar list` shows what holds"
            )
        entry = calendar_queries.entry(context.ledger, site=site, entry_id=entry_id)
        assert entry is not None
        _write_down(context, entry, "calendar_end", f"{operator} ends: {told(entry)}", operator, reason, account)
        _expect_anew(context, entry)
    return entry


def told(entry: Entry) -> str:
    """Return an entry in a line of words."""
    what = WORDS[entry.kind]
    whose = entry.site if entry.instrument is None else entry.instrument
    if entry.detector is not None:
        whose = f"{whose}, detector {entry.detector}"
    until = f"until {entry.ends:%Y-%m-%d %H:%M} UTC" if entry.ends else "until somebody ends it"
    return f"{whose}: {what} from {entry.begins:%Y-%m-%d %H:%M} UTC {until} ({entry.reason})"


def _check_said(operator: str, reason: str) -> None:
    if not (operator.strip() and reason.strip()):
        raise BadInput(Reason.INTERNAL_ERROR, "say who you are and why (--reason): both are kept in the audit")


def _expect_anew(context: Context, entry: Entry) -> None:
    if entry.kind is CalendarKind.OUT_OF_SERVICE and entry.instrument is not None:
        expect_anew(context.ledger, context.deployment.survey_of(entry.instrument))


def _write_down(
    context: Context, entry: Entry, action: str, text: str, operator: str, reason: str, account: str
) -> None:
    subject = f"{entry.site}/calendar/{entry.entry_id}"
    ledger_queries.put_audit(
        context.ledger, operator=operator, action=action, subject=subject,
        detail={
            "reason": reason, "text": text, "account": account, "begins": entry.begins.isoformat(),
            "ends": entry.ends.isoformat() if entry.ends else None,
        },
    )  # fmt: skip
    context.ledger.event(EventLevel.INFO, action, text[:1000], subject=subject, night_time=context.clock.now())
