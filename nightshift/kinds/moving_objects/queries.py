"""The named queries of ``nightshift/kinds/moving_objects/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = ["Detection", "delete_tracklets", "detections_of_night", "put_tracklet", "put_tracklet_members"]

TOPIC = "moving_objects"


@dataclass(frozen=True, slots=True)
class Detection:
    """A row of `detections_of_night`."""

    candid: int
    ra_deg: float
    dec_deg: float
    magnitude: float | None
    signal_to_noise: float
    unit_key: str
    shutter_open: datetime
    exposure_s: float


def detections_of_night(
    ledger: Ledger, *, site: str, night: date, campaign: str, signal_to_noise: float
) -> list[Detection]:
    """Run `detections_of_night`."""
    return ledger.select(
        TOPIC,
        "detections_of_night",
        Detection,
        site=site,
        night=night,
        campaign=campaign,
        signal_to_noise=signal_to_noise,
    )


def delete_tracklets(ledger: Ledger, *, site: str | None, night: date | None, campaign: str | None) -> int:
    """Run `delete_tracklets`."""
    return ledger.run(TOPIC, "delete_tracklets", site=site, night=night, campaign=campaign)


def put_tracklet(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    campaign: str | None,
    number: int | None,
    tracklet_key: str | None,
    detections: int | None,
    begins: datetime | None,
    ends: datetime | None,
    ra_deg: float | None,
    dec_deg: float | None,
    rate_deg_per_day: float | None,
    position_angle_deg: float | None,
    residual_arcsec: float | None,
    magnitude: float | None,
) -> int:
    """Run `put_tracklet`."""
    return ledger.run(
        TOPIC,
        "put_tracklet",
        site=site,
        night=night,
        campaign=campaign,
        number=number,
        tracklet_key=tracklet_key,
        detections=detections,
        begins=begins,
        ends=ends,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        rate_deg_per_day=rate_deg_per_day,
        position_angle_deg=position_angle_deg,
        residual_arcsec=residual_arcsec,
        magnitude=magnitude,
    )


def put_tracklet_members(ledger: Ledger, *, tracklet_key: str | None, members: dict[str, Any] | None) -> int:
    """Run `put_tracklet_members`."""
    return ledger.run(TOPIC, "put_tracklet_members", tracklet_key=tracklet_key, members=members)
