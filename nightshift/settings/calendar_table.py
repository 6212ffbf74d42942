"""The table of what a site announces: ``calendar.toml`` in the survey's folder, read apart from the other settings.

It is no part of the settings that a night is opened with: what it holds goes into the ledger, where people add to it
and end what it holds, and takes effect in the night that is under way.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field as Key
from pydantic import ValidationError, model_validator

from nightshift.settings.base_table import Table
from nightshift.settings.deployment import Deployment
from nightshift.settings.loader import config_folder
from nightshift.settings.settings_error import SettingsError
from nightshift.vocabulary import CalendarKind

__all__ = ["FILE", "CalendarEntry", "check_scope", "check_span", "load_calendar", "moment_at_site"]

FILE = "calendar.toml"


# --- calendar.toml -----------------------------------------------------------------------------------------


class CalendarEntry(Table):
    """A detector out of service, engineering time or downtime; the file may be missing.

    A time with an offset (`2026-03-01T20:00:00Z`) is what it says; one without is the site's own.
    """

    kind: CalendarKind  # what it is; docs/afternoon.md says what follows
    begins: datetime  # with an offset from UTC, or the site's time
    ends: datetime | None = None  # the first moment after it; none: until somebody ends it
    reason: Annotated[str, Key(min_length=1)]  # as the morning's mail and `calendar list` say it
    site: str | None = None  # needed where the survey has several
    instrument: str | None = None  # none: all of the site; needed for "out_of_service" where there are several
    detector: int | None = None  # of "out_of_service"; none: the whole instrument
    announced: bool = True  # whether it was known beforehand

    @property
    def settings_key(self) -> str:
        """What tells this entry from the others: all but when it ends and why, which may be corrected."""
        parts = [self.kind, self.site, self.instrument, self.detector, self.begins.astimezone(UTC).isoformat()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _one_detector_of_one_instrument(self) -> "CalendarEntry":
        if self.detector is not None and self.kind is not CalendarKind.OUT_OF_SERVICE:
            raise ValueError(f'detector is for kind = "out_of_service"; {self.kind} is of an instrument or a site')
        return self


class _File(Table):
    """The whole file."""

    calendar: tuple[CalendarEntry, ...] = ()


def load_calendar(deployment: Deployment) -> tuple[CalendarEntry, ...]:
    """Read the survey's calendar, empty where there is no such file.

    Returns
    -------
    tuple of CalendarEntry
        Each with its site and, where it is of one, its instrument; its moments aware, in UTC.

    Raises
    ------
    SettingsError
        If the file does not read, names what the survey does not have, or a time does not exist.
    """
    file = config_folder() / deployment.name / FILE
    try:
        plain = tomllib.loads(file.read_text())
        entries = _File.model_validate(plain).calendar
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} does not read as TOML: {error}") from error
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise SettingsError("\n".join(f"{file}: {line}" for line in lines)) from error
    return _settled(entries, deployment, file)


def _settled(entries: Iterable[CalendarEntry], deployment: Deployment, file: Path) -> tuple[CalendarEntry, ...]:
    found: dict[str, CalendarEntry] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            settled = _with_scope(entry, deployment)
        except ValueError as error:
            raise SettingsError(f"{file}: entry {number} ({entry.reason}): {error}") from error
        other = found.setdefault(settled.settings_key, settled)
        if other is not settled:
            raise SettingsError(
                f"{file}: entry {number} ({entry.reason}) begins with another of the same kind and detector "
                f"({other.reason}): leave one of the two out"
            )
    return tuple(found.values())


def _with_scope(entry: CalendarEntry, deployment: Deployment) -> CalendarEntry:
    site, instrument = check_scope(
        deployment, entry.kind, site=entry.site, instrument=entry.instrument, detector=entry.detector
    )
    zone = ZoneInfo(deployment.site_named(site).time_zone)
    begins = moment_at_site(entry.begins, zone)
    ends = None if entry.ends is None else moment_at_site(entry.ends, zone)
    check_span(begins, ends)
    changes: dict[str, Any] = {"site": site, "instrument": instrument, "begins": begins, "ends": ends}
    return entry.model_copy(update=changes)


def check_scope(
    deployment: Deployment, kind: CalendarKind, *, site: str | None, instrument: str | None, detector: int | None
) -> tuple[str, str | None]:
    """Return the site and the instrument that an entry is of.

    Raises
    ------
    ValueError
        If the survey has no such site, instrument or detector, or it is not said which one is meant.
    """
    if instrument is None and kind is CalendarKind.OUT_OF_SERVICE:
        instrument = deployment.survey.camera.instrument
    if instrument is None:
        return deployment.site_named(site).name, None
    survey = deployment.survey_of(instrument)
    if site not in (None, survey.site.name):
        raise ValueError(f"{instrument} stands at {survey.site.name}, not at {site}")
    known = [each.id for each in survey.camera.detectors]
    if detector is not None and detector not in known:
        raise ValueError(f"{instrument} has no detector {detector}; there are {', '.join(map(str, known))}")
    return survey.site.name, instrument


def check_span(begins: datetime, ends: datetime | None) -> None:
    """Raise `ValueError` where an end is not after its beginning."""
    if ends is not None and ends <= begins:
        raise ValueError(f"it ends at {ends.isoformat()}, which is not after its beginning, {begins.isoformat()}")


def moment_at_site(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a moment in UTC; one without an offset is by the clocks of the zone.

    Raises
    ------
    ValueError
        If those clocks never show it, or show it twice: the night on which they are set forward or back.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    first, second = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != moment:
        raise ValueError(f"{moment.isoformat()} does not exist in {zone.key}: the clocks are set forward over it")
    raise ValueError(
        f"{moment.isoformat()} comes twice in {zone.key}, when the clocks are set back: write it with its offset, "
        f"as {first.astimezone(zone).isoformat()} or {second.astimezone(zone).isoformat()}"
    )
