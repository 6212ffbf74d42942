"""The named queries of ``sql/queries/night_report.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import NightState

__all__ = [
    "MeasurementOfNight",
    "NightBefore",
    "NightOfSite",
    "ProductsInTime",
    "ProductsOfKind",
    "SlowAlert",
    "SourcesInTime",
    "UnitOfReason",
    "WayOfUnit",
    "measurements_of_nights",
    "nights_before",
    "nights_of_sites",
    "products_by_kind",
    "products_in_time",
    "slowest_alerts",
    "sources_in_time",
    "units_of_reasons",
    "was_live",
    "ways_of_units",
]

TOPIC = "night_report"


@dataclass(frozen=True, slots=True)
class ProductsOfKind:
    """A row of `products_by_kind`."""

    kind: str
    files: int
    bytes: int
    first_made: datetime
    last_made: datetime


@dataclass(frozen=True, slots=True)
class ProductsInTime:
    """A row of `products_in_time`."""

    kind: str
    step: int
    files: int


@dataclass(frozen=True, slots=True)
class SourcesInTime:
    """A row of `sources_in_time`."""

    step: int
    sources: int


@dataclass(frozen=True, slots=True)
class SlowAlert:
    """A row of `slowest_alerts`."""

    candid: int
    object_id: str | None
    unit_key: str
    instrument: str
    exposure_id: str
    shutter_closed: datetime
    last_arrival_at: datetime
    ended_at: datetime
    built_at: datetime | None
    searched_at: datetime
    released_at: datetime | None
    acknowledged_at: datetime


@dataclass(frozen=True, slots=True)
class WayOfUnit:
    """A row of `ways_of_units`."""

    unit_key: str
    kind: str
    requested_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class NightBefore:
    """A row of `nights_before`."""

    night: date


@dataclass(frozen=True, slots=True)
class MeasurementOfNight:
    """A row of `measurements_of_nights`."""

    night: date
    filter: str
    name: str
    median: float | None


@dataclass(frozen=True, slots=True)
class UnitOfReason:
    """A row of `units_of_reasons`."""

    instrument: str
    reason: str
    unit_key: str
    detail: str


@dataclass(frozen=True, slots=True)
class NightOfSite:
    """A row of `nights_of_sites`."""

    site: str
    state: NightState | None
    closed_at: datetime | None
    sent_at: datetime | None
    exposures: int
    alerts: int


def products_by_kind(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[ProductsOfKind]:
    """In the order in which the first of each kind was made."""
    return ledger.select(TOPIC, "products_by_kind", ProductsOfKind, site=site, night=night, campaign=campaign)


def products_in_time(
    ledger: Ledger, *, begins: datetime, ends: datetime, steps: int, site: str, night: date, campaign: str
) -> list[ProductsInTime]:
    """How many of each kind were made in each of so many equal steps of time, counted from 1."""
    return ledger.select(
        TOPIC,
        "products_in_time",
        ProductsInTime,
        begins=begins,
        ends=ends,
        steps=steps,
        site=site,
        night=night,
        campaign=campaign,
    )


def sources_in_time(
    ledger: Ledger, *, begins: datetime, ends: datetime, steps: int, site: str, night: date, tier: str, campaign: str
) -> list[SourcesInTime]:
    """The same of the sources that were extracted from science frames, by when their image was measured."""
    return ledger.select(
        TOPIC,
        "sources_in_time",
        SourcesInTime,
        begins=begins,
        ends=ends,
        steps=steps,
        site=site,
        night=night,
        tier=tier,
        campaign=campaign,
    )


def was_live(ledger: Ledger, *, site: str, night: date) -> bool | None:
    """Whether the night was worked on while it lasted: of a replayed one, the time from shutter to arrival says
    nothing.
    """
    found: bool | None = ledger.value(TOPIC, "was_live", site=site, night=night)
    return found


def slowest_alerts(ledger: Ledger, *, site: str, night: date, live: bool, most: int) -> list[SlowAlert]:
    """The slowest alert of each of the slowest exposures, with the moments that its way is measured by."""
    return ledger.select(TOPIC, "slowest_alerts", SlowAlert, site=site, night=night, live=live, most=most)


def ways_of_units(ledger: Ledger, *, unit_keys: Sequence[str], night: date, campaign: str) -> list[WayOfUnit]:
    """Each job that worked on some units and succeeded: when it was asked for, was given to the runner and ended,
    and how many seconds of that were work.
    """
    return ledger.select(TOPIC, "ways_of_units", WayOfUnit, unit_keys=unit_keys, night=night, campaign=campaign)


def nights_before(ledger: Ledger, *, instrument: str, night: date, most: int) -> list[NightBefore]:
    """The last so many nights of an instrument with science frames, before this one; the latest first."""
    return ledger.select(TOPIC, "nights_before", NightBefore, instrument=instrument, night=night, most=most)


def measurements_of_nights(
    ledger: Ledger, *, instrument: str, nights: Sequence[date], tier: str, campaign: str, names: Sequence[str]
) -> list[MeasurementOfNight]:
    """Of each of some nights, filters and measurements the median over the units; null where it was made on none."""
    return ledger.select(
        TOPIC,
        "measurements_of_nights",
        MeasurementOfNight,
        instrument=instrument,
        nights=nights,
        tier=tier,
        campaign=campaign,
        names=names,
    )


def units_of_reasons(
    ledger: Ledger, *, site: str, night: date, tier: str, campaign: str, reasons: Sequence[str]
) -> list[UnitOfReason]:
    """Run `units_of_reasons`."""
    return ledger.select(
        TOPIC, "units_of_reasons", UnitOfReason, site=site, night=night, tier=tier, campaign=campaign, reasons=reasons
    )


def nights_of_sites(ledger: Ledger, *, night: date, sites: Sequence[str], kind: str) -> list[NightOfSite]:
    """How the night of the same date stands at some sites."""
    return ledger.select(TOPIC, "nights_of_sites", NightOfSite, night=night, sites=sites, kind=kind)
