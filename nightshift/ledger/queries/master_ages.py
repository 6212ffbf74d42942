"""The named queries of ``sql/queries/master_ages.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import CalibrationKind

__all__ = ["NewestMaster", "newest_masters"]

TOPIC = "master_ages"


@dataclass(frozen=True, slots=True)
class NewestMaster:
    """A row of `newest_masters`."""

    kind: CalibrationKind
    filter: str
    detector: int
    quadrant: int
    night: date


def newest_masters(
    ledger: Ledger, *, instrument: str, campaign: str, oldest: date, night: date
) -> list[NewestMaster]:
    """Of each kind, filter, detector and quadrant the night of the newest master in service, within a span of
    nights.
    """
    return ledger.select(
        TOPIC, "newest_masters", NewestMaster, instrument=instrument, campaign=campaign, oldest=oldest, night=night
    )
