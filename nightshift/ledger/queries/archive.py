"""The named queries of ``sql/queries/archive.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger

__all__ = [
    "ArchivedFile",
    "Bag",
    "FileToArchive",
    "Packet",
    "PacketTar",
    "archived",
    "bags",
    "begin_bag",
    "files_to_archive",
    "has_fault_told",
    "packet_tars",
    "packets",
    "put_archived",
    "seal_bag",
    "set_alerts_digest",
    "set_complete",
    "set_unverified",
    "set_verified",
]

TOPIC = "archive"


@dataclass(frozen=True, slots=True)
class FileToArchive:
    """A row of `files_to_archive`."""

    kind: str
    source: str
    sha256: str
    bytes: int | None


@dataclass(frozen=True, slots=True)
class PacketTar:
    """A row of `packet_tars`."""

    packet_path: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A row of `packets`."""

    candid: int
    packet_path: str
    packet_offset: int
    packet_bytes: int
    packet_sha256: str


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A row of `archived`."""

    path: str
    kind: str
    source: str
    sha256: str
    bytes: int
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bag:
    """A row of `bags`."""

    version: int
    name: str
    begun_at: datetime
    complete: bool
    alerts_digest: str | None
    sealed_at: datetime | None


def files_to_archive(ledger: Ledger, *, site: str, night: date) -> list[FileToArchive]:
    """In the order of their path; every one carries its sha256 from the moment of writing. Of what is no file, or
    too large to be read, only the ledger's row is kept.
    """
    return ledger.select(TOPIC, "files_to_archive", FileToArchive, site=site, night=night)


def packet_tars(ledger: Ledger, *, site: str, night: date) -> list[PacketTar]:
    """Run `packet_tars`."""
    return ledger.select(TOPIC, "packet_tars", PacketTar, site=site, night=night)


def packets(ledger: Ledger, *, site: str, night: date) -> list[Packet]:
    """Run `packets`."""
    return ledger.select(TOPIC, "packets", Packet, site=site, night=night)


def archived(ledger: Ledger, *, site: str, night: date) -> list[ArchivedFile]:
    """Run `archived`."""
    return ledger.select(TOPIC, "archived", ArchivedFile, site=site, night=night)


def put_archived(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    paths: Sequence[str] | None,
    kinds: Sequence[str] | None,
    sources: Sequence[str] | None,
    sha256s: Sequence[str] | None,
    sizes: Sequence[int] | None,
) -> int:
    """One transaction for all of them; a place that is filled anew is to be read back again."""
    return ledger.run(
        TOPIC,
        "put_archived",
        site=site,
        night=night,
        paths=paths,
        kinds=kinds,
        sources=sources,
        sha256s=sha256s,
        sizes=sizes,
    )


def set_verified(ledger: Ledger, *, site: str | None, night: date | None, paths: Sequence[str] | None) -> int:
    """Run `set_verified`."""
    return ledger.run(TOPIC, "set_verified", site=site, night=night, paths=paths)


def set_unverified(ledger: Ledger, *, site: str | None, night: date | None, paths: Sequence[str] | None) -> int:
    """Run `set_unverified`."""
    return ledger.run(TOPIC, "set_unverified", site=site, night=night, paths=paths)


def has_fault_told(ledger: Ledger, *, subject: str) -> bool:
    """Whether a human was called for the archive of a night, and not told since that it is good again."""
    found: bool = ledger.value(TOPIC, "has_fault_told", subject=subject)
    return found


def bags(ledger: Ledger, *, site: str, night: date) -> list[Bag]:
    """Of a night, the last one last."""
    return ledger.select(TOPIC, "bags", Bag, site=site, night=night)


def begin_bag(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    version: int | None,
    folder: str | None,
    begun_at: datetime | None,
) -> int:
    """Run `begin_bag`."""
    return ledger.run(TOPIC, "begin_bag", site=site, night=night, version=version, folder=folder, begun_at=begun_at)


def set_complete(
    ledger: Ledger, *, complete: bool | None, site: str | None, night: date | None, version: int | None
) -> int:
    """Also that it is no more; a sealed bag stays as it is."""
    return ledger.run(TOPIC, "set_complete", complete=complete, site=site, night=night, version=version)


def set_alerts_digest(
    ledger: Ledger, *, digest: str | None, site: str | None, night: date | None, version: int | None
) -> int:
    """Run `set_alerts_digest`."""
    return ledger.run(TOPIC, "set_alerts_digest", digest=digest, site=site, night=night, version=version)


def seal_bag(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """Once the night is closed and every file was read back."""
    return ledger.run(TOPIC, "seal_bag", site=site, night=night)
