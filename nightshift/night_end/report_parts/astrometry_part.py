"""Which frames found no place on the sky, and why."""

import re
from datetime import date

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries import night_report as night_report_queries
from nightshift.ledger.queries.night_report import UnitOfReason
from nightshift.night_end.report_elements import DETECTORS, Section, columns
from nightshift.night_end.report_parts import ReportPart, report_part
from nightshift.night_end.report_text import shortened
from nightshift.vocabulary import Reason, Tier

__all__ = ["astrometric_failures"]

REASONS = (Reason.ASTROMETRY_FAILED, Reason.POINTING_OFF, Reason.TOO_FEW_STARS)
NAMED = 3  # units of one cause that are named


@report_part("Astrometric failures", rank=10, after=DETECTORS)
def astrometric_failures(context: Context, night: date) -> ReportPart:
    """Return a row a cause: the reason and what the solver said, whose numbers differ from unit to unit."""
    units = night_report_queries.units_of_reasons(
        context.ledger, site=context.site.name, night=night, tier=Tier.PROCESSED, campaign=LIVE, reasons=list(REASONS)
    )
    sentences = {row.reason: row.sentence for row in night_end_queries.reasons(context.ledger)}
    causes: dict[tuple[str, str], list[UnitOfReason]] = {}
    for unit in units:
        causes.setdefault((unit.reason, re.sub(r"\d+(\.\d+)?", "#", unit.detail)), []).append(unit)
    ordered = sorted(causes.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = [(sentences[reason], str(len(of)), of[0].detail or "—", _names(of)) for (reason, _), of in ordered]
    titles = columns("Reason", ">Units", "What was said of the first", "Units")
    note = "" if rows else "No frame failed for its astrometry."
    return ReportPart((Section("Astrometric failures", titles, shortened(rows, len(titles)), note),))


def _names(units: list[UnitOfReason]) -> str:
    named = ", ".join(unit.unit_key.removesuffix(f"/{Tier.PROCESSED}/{LIVE}") for unit in units[:NAMED])
    return f"{named} and {len(units) - NAMED} more" if len(units) > NAMED else named
