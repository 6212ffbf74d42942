"""The named queries of ``sql/queries/realbogus.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass

from nightshift.ledger.database import Ledger

__all__ = ["ReplacedReferences", "put_model", "references_replaced"]

TOPIC = "realbogus"


@dataclass(frozen=True, slots=True)
class ReplacedReferences:
    """A row of `references_replaced`."""

    field: int
    filter: str
    version: int
    quadrants: int


def put_model(ledger: Ledger, *, instrument: str | None, version: str | None) -> int:
    """Note that a model judges a camera's candidates; the first time stays."""
    return ledger.run(TOPIC, "put_model", instrument=instrument, version=version)


def references_replaced(ledger: Ledger, *, version: str, instrument: str) -> list[ReplacedReferences]:
    """References that took the place of others since a model came into use."""
    return ledger.select(TOPIC, "references_replaced", ReplacedReferences, version=version, instrument=instrument)
