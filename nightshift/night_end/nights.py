"""The night as the ledger keys it: its text and its row."""

from datetime import date
from typing import Any

from nightshift.nights import night_bounds
from nightshift.settings import Survey
from nightshift.workplace import Workplace

__all__ = ["night_row", "night_text"]


def night_text(survey: Survey, night: date) -> str:
    """Return what jobs, events and pages call a night."""
    return f"{survey.site.name}/{night:%Y%m%d}"


def night_row(workplace: Workplace, night: date) -> dict[str, Any]:
    """Return the night's row of the ledger; a night of which nothing came gets one."""
    site = workplace.survey.site
    begins, ends = night_bounds(site, night)
    workplace.ledger.run("night_end", "put_night", site=site.name, night=night, begins=begins, ends=ends)
    row = workplace.ledger.row("night_end", "night", site=site.name, night=night)
    assert row is not None
    return row
