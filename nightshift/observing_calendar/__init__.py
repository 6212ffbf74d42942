"""What a site announces: detectors out of service, engineering time and downtime.

What holds is what lies in the ledger's table ``calendar``. It is filled from the survey's ``calendar.toml`` and by
people; each change of a person is in the audit. What is expected of a night, and what is reduced, follows from it.
"""

from nightshift.observing_calendar.entries import (
    add_entry,
    end_entry,
    entries_of_night,
    fill_from_settings,
    fill_where_it_reads,
)
from nightshift.observing_calendar.in_force import InForce, expect_anew, in_force

__all__ = [
    "InForce",
    "add_entry",
    "end_entry",
    "entries_of_night",
    "expect_anew",
    "fill_from_settings",
    "fill_where_it_reads",
    "in_force",
]
