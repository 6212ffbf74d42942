"""The named queries of ``tests/integration/kinds/toy/toy_kind/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date

from nightshift.ledger.database import Ledger

__all__ = ["UnmeasuredFile", "files_without"]

TOPIC = "toy"


@dataclass(frozen=True, slots=True)
class UnmeasuredFile:
    """A row of `files_without`."""

    instrument: str
    exposure_id: str | None
    detector: int
    path: str
    sha256: str
    site: str
    night: date


def files_without(ledger: Ledger, *, exposure_id: str | None) -> list[UnmeasuredFile]:
    """Raw files whose brightest pixel is not known, the newest exposure first."""
    return ledger.select(TOPIC, "files_without", UnmeasuredFile, exposure_id=exposure_id)
