"""The night's detections, as one unit of work."""

from datetime import datetime, timedelta
from typing import Any

from nightshift.clock import MJD_EPOCH
from nightshift.context import Context
from nightshift.files import write_json
from nightshift.jobs.contract import Input
from nightshift.kinds.plans import Plan, PlannedUnit
from nightshift.settings import settings_hash
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the night's linking, with its detections in a file of their own."""
    night = subject.night
    rows = context.ledger.rows(
        "moving_objects", "detections_of_night",
        site=subject["site"], night=night, campaign=subject.campaign,
        signal_to_noise=context.survey.moving_objects.signal_to_noise,
    )  # fmt: skip
    if not rows:
        return Plan(subject["site"], night, ())
    detections = [
        {
            "candid": row["candid"],
            "mjd": _mid_exposure_mjd(row),
            "ra_deg": row["ra_deg"],
            "dec_deg": row["dec_deg"],
            "magnitude": row["magnitude"],
            "signal_to_noise": row["signal_to_noise"],
            "unit_key": row["unit_key"],
        }
        for row in rows
    ]
    unit_key = f"{subject['site']}/{night:%Y%m%d}/{subject.campaign}"
    path = context.depot.work(night, subject.job_key) / f"detections_{settings_hash(detections)}.json"
    listed = Input("detections", str(path), write_json(path, detections), f"detections/{unit_key}")
    parameters = {"site": subject["site"], "night": night.isoformat()}
    return Plan(subject["site"], night, (PlannedUnit(unit_key, 0, (listed,), parameters),))


def _mid_exposure_mjd(row: dict[str, Any]) -> float:
    middle: datetime = row["shutter_open"] + timedelta(seconds=row["exposure_s"] / 2)
    return (middle - MJD_EPOCH) / timedelta(days=1)
