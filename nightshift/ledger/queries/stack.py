"""The named queries of ``sql/queries/stack.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import Disposition, EventLevel, ExposureState, ImageType, NightState, UnitState

__all__ = [
    "AlertDelay",
    "ArrivedName",
    "CalibrationUse",
    "DifferencedUnit",
    "ExposureCount",
    "LatestEvent",
    "NamedArrival",
    "Night",
    "NightCounts",
    "OpenWork",
    "TrackletMember",
    "UnitCount",
    "UnitOfFile",
    "arrivals_named",
    "differenced_units",
    "exposures_by_state",
    "exposures_ended",
    "glance",
    "last_file_to_alert",
    "latest_events",
    "names_that_came",
    "night_is_over",
    "nights_here",
    "not_ended",
    "reference_awaited",
    "science_under_way",
    "tracklet_members",
    "units_by_state",
    "units_of_file",
    "uses_of_file",
]

TOPIC = "stack"


@dataclass(frozen=True, slots=True)
class NightCounts:
    """A row of `glance`."""

    night_state: NightState
    arrived: int
    registered: int
    quarantined: int
    repeated: int
    masters: int
    reference_images: int
    differences: int
    candidates: int
    released: int
    acknowledged: int
    tracklets: int
    mail_sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnitCount:
    """A row of `units_by_state`."""

    state: UnitState
    units: int


@dataclass(frozen=True, slots=True)
class ExposureCount:
    """A row of `exposures_by_state`."""

    image_type: ImageType
    state: ExposureState
    exposures: int


@dataclass(frozen=True, slots=True)
class LatestEvent:
    """A row of `latest_events`."""

    event_id: int
    at: datetime
    night_time: datetime | None
    level: EventLevel
    kind: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class ArrivedName:
    """A row of `names_that_came`."""

    inbox_name: str


@dataclass(frozen=True, slots=True)
class Night:
    """A row of `nights_here`."""

    site: str
    night: date
    state: NightState
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenWork:
    """A row of `not_ended`."""

    what: str
    subject: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AlertDelay:
    """A row of `last_file_to_alert`."""

    exposure_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DifferencedUnit:
    """A row of `differenced_units`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class TrackletMember:
    """A row of `tracklet_members`."""

    tracklet_key: str
    candid: int


@dataclass(frozen=True, slots=True)
class NamedArrival:
    """A row of `arrivals_named`."""

    disposition: Disposition
    reason: str | None


@dataclass(frozen=True, slots=True)
class UnitOfFile:
    """A row of `units_of_file`."""

    unit_key: str
    state: UnitState
    reason: str | None
    flags: list[str]


@dataclass(frozen=True, slots=True)
class CalibrationUse:
    """A row of `uses_of_file`."""

    accepted: bool
    reason: str | None


def glance(ledger: Ledger, *, night: date, site: str) -> NightCounts | None:
    """Run `glance`."""
    return ledger.first(TOPIC, "glance", NightCounts, night=night, site=site)


def units_by_state(ledger: Ledger, *, site: str, night: date) -> list[UnitCount]:
    """Run `units_by_state`."""
    return ledger.select(TOPIC, "units_by_state", UnitCount, site=site, night=night)


def exposures_by_state(ledger: Ledger, *, site: str, night: date) -> list[ExposureCount]:
    """Run `exposures_by_state`."""
    return ledger.select(TOPIC, "exposures_by_state", ExposureCount, site=site, night=night)


def latest_events(ledger: Ledger, *, most: int) -> list[LatestEvent]:
    """Run `latest_events`."""
    return ledger.select(TOPIC, "latest_events", LatestEvent, most=most)


def names_that_came(ledger: Ledger) -> list[ArrivedName]:
    """Run `names_that_came`."""
    return ledger.select(TOPIC, "names_that_came", ArrivedName)


def nights_here(ledger: Ledger, *, site: str) -> list[Night]:
    """Run `nights_here`."""
    return ledger.select(TOPIC, "nights_here", Night, site=site)


def not_ended(ledger: Ledger, *, site: str, night: date, most: int) -> list[OpenWork]:
    """Run `not_ended`."""
    return ledger.select(TOPIC, "not_ended", OpenWork, site=site, night=night, most=most)


def last_file_to_alert(ledger: Ledger, *, site: str) -> list[AlertDelay]:
    """Seconds from an exposure's last file to the broker's acknowledgement of its last alert. An exposure that was
    taken before its reference was built is differenced later, and left out.
    """
    return ledger.select(TOPIC, "last_file_to_alert", AlertDelay, site=site)


def exposures_ended(ledger: Ledger, *, site: str) -> int:
    """Run `exposures_ended`."""
    found: int = ledger.value(TOPIC, "exposures_ended", site=site)
    return found


def science_under_way(ledger: Ledger, *, site: str, night: date) -> int:
    """Science exposures that came and have not ended."""
    found: int = ledger.value(TOPIC, "science_under_way", site=site, night=night)
    return found


def differenced_units(ledger: Ledger, *, site: str, night: date) -> list[DifferencedUnit]:
    """Run `differenced_units`."""
    return ledger.select(TOPIC, "differenced_units", DifferencedUnit, site=site, night=night)


def tracklet_members(ledger: Ledger, *, site: str, night: date) -> list[TrackletMember]:
    """Run `tracklet_members`."""
    return ledger.select(TOPIC, "tracklet_members", TrackletMember, site=site, night=night)


def reference_awaited(ledger: Ledger, *, instrument: str, site: str, night: date, at_least: int) -> bool:
    """Whether a field and filter of which enough frames came has a reference that is due or being built. Of frames
    that lack a master none is made before they are reduced again, which nobody waits for.
    """
    found: bool = ledger.value(
        TOPIC, "reference_awaited", instrument=instrument, site=site, night=night, at_least=at_least
    )
    return found


def night_is_over(ledger: Ledger, *, site: str, night: date) -> bool:
    """Whether a night was closed and mailed, and nothing of it has come or changed since."""
    found: bool = ledger.value(TOPIC, "night_is_over", site=site, night=night)
    return found


def arrivals_named(ledger: Ledger, *, file_name: str) -> list[NamedArrival]:
    """Run `arrivals_named`."""
    return ledger.select(TOPIC, "arrivals_named", NamedArrival, file_name=file_name)


def units_of_file(ledger: Ledger, *, file_name: str, campaign: str) -> list[UnitOfFile]:
    """Run `units_of_file`."""
    return ledger.select(TOPIC, "units_of_file", UnitOfFile, file_name=file_name, campaign=campaign)


def uses_of_file(ledger: Ledger, *, file_name: str) -> list[CalibrationUse]:
    """Run `uses_of_file`."""
    return ledger.select(TOPIC, "uses_of_file", CalibrationUse, file_name=file_name)
