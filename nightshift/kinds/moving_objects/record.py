"""What the linking of a night leaves in the ledger: its tracklets."""

from datetime import date, datetime, timedelta
from pathlib import Path

from nightshift.clock import MJD_EPOCH
from nightshift.context import Context
from nightshift.jobs.contract import UnitWork
from nightshift.kinds.moving_objects import queries
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject

__all__ = ["home", "record"]


def home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder of a night's tracklets, and the night."""
    return context.depot.root / "processed" / f"{subject.night:%Y/%m%d}" / subject.job_key, subject.night


def record(context: Context, ending: Ending) -> None:
    """Write the night's tracklets in place of those that a run before may have left."""
    if not ending.succeeded:
        return
    ledger, subject = context.ledger, ending.subject
    queries.delete_tracklets(ledger, site=subject["site"], night=subject.night, campaign=subject.campaign)
    for row in ending.rows("tracklets"):
        key = f"{ending.work.unit_key}/t{row['number']:05d}"
        members = [
            {"candid": member["candid"], "position": position, "residual_arcsec": member.get("residual_arcsec")}
            for position, member in enumerate(row["members"], start=1)
        ]
        queries.put_tracklet(
            ledger, site=subject["site"], night=subject.night, campaign=subject.campaign,
            number=row["number"], tracklet_key=key, detections=len(members),
            begins=_from_mjd(row["begins_mjd"]), ends=_from_mjd(row["ends_mjd"]), ra_deg=row["ra_deg"],
            dec_deg=row["dec_deg"], rate_deg_per_day=row["rate_deg_per_day"],
            position_angle_deg=row["position_angle_deg"], residual_arcsec=row["residual_arcsec"],
            magnitude=row.get("magnitude"),
        )  # fmt: skip
        queries.put_tracklet_members(ledger, tracklet_key=key, members={"rows": members})


def _from_mjd(mjd: float) -> datetime:
    return MJD_EPOCH + timedelta(days=mjd)
