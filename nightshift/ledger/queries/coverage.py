"""The named queries of ``sql/queries/coverage.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date

from nightshift.ledger.database import Ledger

__all__ = [
    "CoverageProduct",
    "ImageOnSky",
    "count_to_night",
    "failed_last",
    "files_of_kind",
    "images_of_night",
    "maps",
    "product",
]

TOPIC = "coverage"


@dataclass(frozen=True, slots=True)
class ImageOnSky:
    """A row of `images_of_night`."""

    unit_key: str
    exposure_id: str
    filter: str
    relative: bool
    limiting_magnitude: float | None
    corners_deg: list[float]


@dataclass(frozen=True, slots=True)
class CoverageProduct:
    """A row of `product` or `maps` or `files_of_kind`."""

    unit_key: str
    kind: str
    night: date
    path: str
    sha256: str
    bytes: int


def images_of_night(
    ledger: Ledger, *, site: str, night: date, instrument: str, tier: str, campaign: str
) -> list[ImageOnSky]:
    """Every processed image of a night of which its place on the sky is known."""
    return ledger.select(
        TOPIC,
        "images_of_night",
        ImageOnSky,
        site=site,
        night=night,
        instrument=instrument,
        tier=tier,
        campaign=campaign,
    )


def product(ledger: Ledger, *, product_key: str, night: date) -> CoverageProduct | None:
    """Of a night; one that lasts is found whatever its night is."""
    return ledger.first(TOPIC, "product", CoverageProduct, product_key=product_key, night=night)


def maps(ledger: Ledger, *, site: str) -> list[CoverageProduct]:
    """The maps of a site: of single nights and of all, as their keys say."""
    return ledger.select(TOPIC, "maps", CoverageProduct, site=site)


def failed_last(ledger: Ledger, *, subject: str) -> bool:
    """Whether the last that was said of a night's maps is that they failed."""
    found: bool = ledger.value(TOPIC, "failed_last", subject=subject)
    return found


def count_to_night(ledger: Ledger, *, night: date | None, product_key: str | None) -> int:
    """The map of all nights goes into the archive of the night that changed it last."""
    return ledger.run(TOPIC, "count_to_night", night=night, product_key=product_key)


def files_of_kind(ledger: Ledger, *, site: str, kind: str, since: date, until: date) -> list[CoverageProduct]:
    """Run `files_of_kind`."""
    return ledger.select(TOPIC, "files_of_kind", CoverageProduct, site=site, kind=kind, since=since, until=until)
