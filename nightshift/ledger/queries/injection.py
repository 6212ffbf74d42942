"""The named queries of ``sql/queries/injection.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date

from nightshift.ledger.database import Ledger

__all__ = ["CompletenessOfNight", "completeness_of_night"]

TOPIC = "injection"


@dataclass(frozen=True, slots=True)
class CompletenessOfNight:
    """A row of `completeness_of_night`."""

    quadrants: int
    injected_snr5_6: int
    recovered_snr5_6: int
    injected_snr6_8: int
    recovered_snr6_8: int
    injected_snr8_up: int
    recovered_snr8_up: int


def completeness_of_night(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[CompletenessOfNight]:
    """Run `completeness_of_night`."""
    return ledger.select(
        TOPIC, "completeness_of_night", CompletenessOfNight, site=site, night=night, campaign=campaign
    )
