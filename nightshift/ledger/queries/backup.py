"""The named queries of ``sql/queries/backup.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import NightState

__all__ = [
    "BackupStep",
    "GoodBackupStep",
    "KnownPlace",
    "LearnedSince",
    "ManifestName",
    "NewestNight",
    "OtherSession",
    "Server",
    "TableContent",
    "end_open_runs",
    "export_snapshot",
    "first_night_under_way",
    "has_tables",
    "known_places",
    "last_good_step",
    "last_step",
    "manifest_names",
    "newest_night",
    "night_closed_at",
    "one_snapshot",
    "open_closing_nights",
    "other_sessions",
    "published_without_alert",
    "put_published",
    "put_step",
    "server",
    "since",
    "table_contents",
]

TOPIC = "backup"


@dataclass(frozen=True, slots=True)
class Server:
    """A row of `server`."""

    version: int
    lsn: str
    taken_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class TableContent:
    """A row of `table_contents`."""

    name: str
    row_count: int
    checksum: str


@dataclass(frozen=True, slots=True)
class NewestNight:
    """A row of `newest_night`."""

    site: str
    night: date
    state: NightState


@dataclass(frozen=True, slots=True)
class BackupStep:
    """A row of `last_step`."""

    at: datetime
    backup: str
    good: bool
    detail: str
    taken_at: datetime | None
    seconds: float
    age_s: float


@dataclass(frozen=True, slots=True)
class GoodBackupStep:
    """A row of `last_good_step`."""

    at: datetime
    backup: str
    detail: str
    taken_at: datetime | None
    age_s: float


@dataclass(frozen=True, slots=True)
class OtherSession:
    """A row of `other_sessions`."""

    application: str
    sessions: int


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A row of `known_places`."""

    place: str


@dataclass(frozen=True, slots=True)
class ManifestName:
    """A row of `manifest_names`."""

    inbox_name: str
    night: date


@dataclass(frozen=True, slots=True)
class LearnedSince:
    """A row of `since`."""

    nights: int
    frames: int
    alerts: int
    people: int


def one_snapshot(ledger: Ledger) -> int:
    """The first statement of a transaction: all others of it see the ledger as it stands now, and change nothing."""
    return ledger.run(TOPIC, "one_snapshot")


def export_snapshot(ledger: Ledger) -> str:
    """By its name another connection sees the same, as long as this transaction is open."""
    found: str = ledger.value(TOPIC, "export_snapshot")
    return found


def server(ledger: Ledger) -> Server | None:
    """Run `server`."""
    return ledger.first(TOPIC, "server", Server)


def table_contents(ledger: Ledger) -> list[TableContent]:
    """Run `table_contents`."""
    return ledger.select(TOPIC, "table_contents", TableContent)


def newest_night(ledger: Ledger) -> NewestNight | None:
    """Run `newest_night`."""
    return ledger.first(TOPIC, "newest_night", NewestNight)


def night_closed_at(ledger: Ledger, *, site: str, night: date) -> datetime | None:
    """Null while the night is open, or opened again."""
    found: datetime | None = ledger.value(TOPIC, "night_closed_at", site=site, night=night)
    return found


def put_step(
    ledger: Ledger,
    *,
    step: str | None,
    backup: str | None,
    good: bool | None,
    detail: str | None,
    taken_at: datetime | None,
    seconds: float | None,
) -> int:
    """Run `put_step`."""
    return ledger.run(
        TOPIC, "put_step", step=step, backup=backup, good=good, detail=detail, taken_at=taken_at, seconds=seconds
    )


def last_step(ledger: Ledger, *, step: str) -> BackupStep | None:
    """Run `last_step`."""
    return ledger.first(TOPIC, "last_step", BackupStep, step=step)


def last_good_step(ledger: Ledger, *, step: str) -> GoodBackupStep | None:
    """Run `last_good_step`."""
    return ledger.first(TOPIC, "last_good_step", GoodBackupStep, step=step)


def other_sessions(ledger: Ledger) -> list[OtherSession]:
    """Run `other_sessions`."""
    return ledger.select(TOPIC, "other_sessions", OtherSession)


def has_tables(ledger: Ledger) -> bool:
    """Run `has_tables`."""
    found: bool = ledger.value(TOPIC, "has_tables")
    return found


def first_night_under_way(ledger: Ledger) -> date:
    """The first that was not closed when the backup was taken, or the newest of all."""
    found: date = ledger.value(TOPIC, "first_night_under_way")
    return found


def known_places(ledger: Ledger, *, places: Sequence[str]) -> list[KnownPlace]:
    """Which of some places of the depot the ledger knows: of raw files, of manifests, of packets, and of job
    files.
    """
    return ledger.select(TOPIC, "known_places", KnownPlace, places=places)


def put_published(
    ledger: Ledger,
    *,
    packet_path: str | None,
    candids: Sequence[int] | None,
    offsets: Sequence[int] | None,
    sizes: Sequence[int] | None,
    digests: Sequence[str] | None,
) -> int:
    """Run `put_published`."""
    return ledger.run(
        TOPIC,
        "put_published",
        packet_path=packet_path,
        candids=candids,
        offsets=offsets,
        sizes=sizes,
        digests=digests,
    )


def published_without_alert(ledger: Ledger) -> int:
    """Packets of before the restore of which the ledger has no alert by now."""
    found: int = ledger.value(TOPIC, "published_without_alert")
    return found


def manifest_names(ledger: Ledger, *, site: str) -> list[ManifestName]:
    """What manifests were called that came before, the newest first."""
    return ledger.select(TOPIC, "manifest_names", ManifestName, site=site)


def since(ledger: Ledger, *, moment: datetime) -> LearnedSince | None:
    """What the ledger learned since a moment, and what a restore of a backup of that moment loses."""
    return ledger.first(TOPIC, "since", LearnedSince, moment=moment)


def end_open_runs(ledger: Ledger) -> int:
    """Run `end_open_runs`."""
    return ledger.run(TOPIC, "end_open_runs")


def open_closing_nights(ledger: Ledger) -> int:
    """Their closing begins again."""
    return ledger.run(TOPIC, "open_closing_nights")
