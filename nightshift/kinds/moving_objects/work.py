"""Link one night's detections into tracklets.

Input: ``detections``, a JSON list of {candid, mjd (middle of the exposure), ra_deg, dec_deg, magnitude,
signal_to_noise, unit_key}. Rows ``tracklets``: {number, begins_mjd, ends_mjd, ra_deg, dec_deg, rate_deg_per_day,
position_angle_deg, residual_arcsec, magnitude, members: [{candid, residual_arcsec}]}.
"""

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from nightshift.errors import NeedsOperator
from nightshift.jobs.contract import UnitResult, UnitWork
from nightshift.jobs.products import Stopwatch
from nightshift.keys import UnitKey
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, Reason
from reduction.moving.linking import Detections, LinkSettings, Tracklet, link

__all__ = ["run", "warm_up"]


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Run one unit; see `nightshift.jobs.run`."""
    item = work.input("detections")
    if item is None:
        raise NeedsOperator(Reason.INPUT_LOST, f"{work.unit_key}: no detections were given")
    watch = Stopwatch()
    policy = survey.moving_objects
    rows = json.loads(Path(item.path).read_text())
    rows = [row for row in rows if row["signal_to_noise"] >= policy.signal_to_noise]
    settings = LinkSettings(policy.at_least_detections, policy.rate_deg_per_day, policy.residual_arcsec)
    with watch("link"):
        tracklets = link(_detections(rows), settings)
    return UnitResult(
        work.unit_key,
        work.token,
        AttemptState.SUCCEEDED,
        metrics={"detections": len(rows), "tracklets": len(tracklets)},
        rows={"tracklets": [_row(number, tracklet, rows) for number, tracklet in enumerate(tracklets, start=1)]},
        seconds=watch.seconds,
    )


def _detections(rows: list[dict[str, Any]]) -> Detections:
    mjd, ra, dec = (np.array([row[name] for row in rows], float) for name in ("mjd", "ra_deg", "dec_deg"))
    return Detections(mjd, ra, dec, [str(UnitKey.parse(row["unit_key"]).exposure) for row in rows])


def _row(number: int, tracklet: Tracklet, rows: list[dict[str, Any]]) -> dict[str, Any]:
    members = [rows[k] for k in tracklet.members]
    magnitudes = [row["magnitude"] for row in members if row.get("magnitude") is not None]
    return {
        "number": number,
        "begins_mjd": members[0]["mjd"],
        "ends_mjd": members[-1]["mjd"],
        "ra_deg": tracklet.ra_deg,
        "dec_deg": tracklet.dec_deg,
        "rate_deg_per_day": tracklet.rate_deg_per_day,
        "position_angle_deg": tracklet.position_angle_deg,
        "residual_arcsec": tracklet.residual_arcsec,
        "magnitude": statistics.median(magnitudes) if magnitudes else None,
        "members": [
            {"candid": row["candid"], "residual_arcsec": residual}
            for row, residual in zip(members, tracklet.residuals_arcsec, strict=True)
        ],
    }


def warm_up() -> None:
    """Compile the linker's kernel."""
    time = np.arange(5) / 50
    link(Detections(60000 + time, 10 + time, np.zeros(5), [str(k) for k in range(5)]))
