"""How the alerts that the consumer received compare with what the simulator put into the sky."""

import json
from datetime import date
from pathlib import Path
from typing import Any

from rich.table import Table

from nightshift.ledger import Ledger
from nightshift.ledger.queries import stack as stack_queries
from rehearsal.simulator import NightScore, score_night

__all__ = ["score_of_night", "score_table"]


def score_of_night(ledger: Ledger, site: str, night: date, *, truth: Path, received: Path) -> NightScore:
    """Compare a simulated night's alerts with its truth.

    Parameters
    ----------
    ledger : Ledger
        Says what was differenced, and the tracklets.
    site : str
    night : date
    truth : Path
        The simulator's folder.
    received : Path
        The consumer's folder.
    """
    lines = received / "alerts.jsonl"
    alerts = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    units = [row.unit_key for row in stack_queries.differenced_units(ledger, site=site, night=night)]
    tracklets: dict[str, list[dict[str, Any]]] = {}
    for member in stack_queries.tracklet_members(ledger, site=site, night=night):
        tracklets.setdefault(member.tracklet_key, []).append({"candid": member.candid})
    return score_night(truth, alerts, units, tracklets=[{"members": members} for members in tracklets.values()])


def score_table(score: NightScore) -> Table:
    """Return the score for a terminal."""
    table = Table(title="against the simulator's truth", title_justify="left", box=None, show_header=False)
    table.add_row(
        "transients above S/N 8 that arrived",
        f"{score.transients_recovered} of {score.transient_appearances} ({score.completeness:.1%})",
    )
    table.add_row("variables likewise", f"{score.variables_recovered} of {score.variable_appearances}")
    table.add_row("alerts: true, false", f"{score.true_alerts}, {score.false_alerts}")
    table.add_row("moving objects among the tracklets", f"{score.movers_found} of {score.movers}")
    for line in score.missed[:5]:
        table.add_row("  missed", line)
    return table
