"""The night's detections, as one unit of work."""

from datetime import timedelta

from nightshift.clock import MJD_EPOCH
from nightshift.context import Context
from nightshift.files import write_json
from nightshift.jobs.contract import Input
from nightshift.kinds.moving_objects import queries
from nightshift.kinds.moving_objects.queries import Detection
from nightshift.kinds.plans import Plan, PlannedUnit
from nightshift.settings import settings_hash
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the night's linking, with its detections in a file of their own."""
    night = subject.night
    found = queries.detections_of_night(
        context.ledger, site=subject["site"], night=night, campaign=subject.campaign,
        signal_to_noise=context.survey.moving_objects.signal_to_noise,
    )  # fmt: skip
    if not found:
        return Plan(subject["site"], night, ())
    detections = [
        {
            "candid": detection.candid,
            "mjd": _mid_exposure_mjd(detection),
            "ra_deg": detection.ra_deg,
            "dec_deg": detection.dec_deg,
            "magnitude": detection.magnitude,
            "signal_to_noise": detection.signal_to_noise,
            "unit_key": detection.unit_key,
        }
        for detection in found
    ]
    unit_key = f"{subject['site']}/{night:%Y%m%d}/{subject.campaign}"
    path = context.depot.work(night, subject.job_key) / f"detections_{settings_hash(detections)}.json"
    listed = Input("detections", str(path), write_json(path, detections), f"detections/{unit_key}")
    parameters = {"site": subject["site"], "night": night.isoformat()}
    return Plan(subject["site"], night, (PlannedUnit(unit_key, 0, (listed,), parameters),))


def _mid_exposure_mjd(detection: Detection) -> float:
    middle = detection.shutter_open + timedelta(seconds=detection.exposure_s / 2)
    return (middle - MJD_EPOCH) / timedelta(days=1)
