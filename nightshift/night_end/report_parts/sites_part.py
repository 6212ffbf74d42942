"""How the same night stands at the survey's other sites."""

from datetime import date, datetime

from nightshift.context import Context
from nightshift.ledger.queries import night_report as night_report_queries
from nightshift.night_end.report_elements import EXPOSURES, Cell, Section, Tone, columns
from nightshift.night_end.report_parts import ReportPart, report_part
from nightshift.vocabulary import NightState

__all__ = ["other_sites"]

TONES = {NightState.CLOSED: Tone.GOOD, NightState.UNBALANCED: Tone.BAD}


@report_part("The survey's other sites", rank=10, after=EXPOSURES)
def other_sites(context: Context, night: date) -> ReportPart | None:
    """Return a row a site, where the survey has several.

    Each site has a mail of its own, when its own night has closed: the first in the west would otherwise wait for the
    last for hours.
    """
    sites = [name for name in context.deployment.site_names if name != context.site.name]
    if not sites:
        return None
    found = night_report_queries.nights_of_sites(context.ledger, sites=sites, night=night, kind="summary")
    rows = [
        (
            row.site, _state(row.state),
            str(row.exposures), str(row.alerts), _moment(row.closed_at), _moment(row.sent_at),
        )
        for row in found
    ]  # fmt: skip
    titles = columns("Site", "Night", ">Exposures", ">Alerts sent", "Closed (UTC)", "Mail sent (UTC)")
    note = f"The night of {night} there, when this was written. Each site has its own mail once its night has closed."
    return ReportPart((Section("The survey's other sites", titles, rows, note),))


def _state(state: NightState | None) -> Cell:
    return Cell(state, TONES.get(state, Tone.PLAIN)) if state else Cell("no night yet")


def _moment(moment: datetime | None) -> str:
    return f"{moment:%d %b %H:%M}" if moment else "—"
