"""A searched difference and the detections in it, as the ledger's rows and as the fields of a packet."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.alerts.ids import id_rule, julian_date, night_id, readout_channel
from nightshift.ledger import Ledger
from nightshift.settings import Survey

__all__ = ["Search", "detection_fields", "search_fields", "searches_of"]


@dataclass(frozen=True)
class Search:
    """One quadrant's difference that was searched for candidates: a row of the ledger's view `searches`."""

    unit_key: str
    campaign: str
    campaign_number: int
    reference_key: str
    limiting_magnitude: float | None  # of the difference, 5 sigma
    instrument: str
    exposure_id: str
    detector: int
    quadrant: int
    site: str
    night: date
    ut_day: date
    field: int | None
    filter: str
    exposure_s: float
    shutter_open: datetime
    program_id: int
    zero_point: float | None
    zero_point_rms: float | None
    stars_matched: float | None
    corners_deg: list[float] | None  # ra, dec of four corners
    reference_version: int
    reference_frames: int
    difference_path: str | None
    release_order_at: datetime  # the moment that is its place in the release order of its field


def searches_of(ledger: Ledger, unit_keys: list[str]) -> dict[str, Search]:
    """Return the searched differences among some units, by unit."""
    rows = ledger.rows("alerts", "searches_of_units", unit_keys=unit_keys)
    return {row["unit_key"]: Search(**row) for row in rows}


def search_fields(survey: Survey, search: Search) -> dict[str, Any]:
    """Return the packet fields that are the same for everything found in one difference.

    These are all that a ``prv_candidate`` without a detection, an upper limit, has.
    """
    channel = readout_channel(survey.camera, search.detector, search.quadrant)
    number, ids = filter_number(survey, search.filter), id_rule(survey.alerts, survey.camera)
    return {
        "jd": julian_date(search.shutter_open),
        "fid": number,
        "pid": ids.processing_id(search.shutter_open, channel, campaign_number=search.campaign_number),
        "diffmaglim": search.limiting_magnitude,
        "pdiffimfilename": search.difference_path,
        "programid": search.program_id,
        "nid": night_id(search.shutter_open),
        "rcid": channel,
        "field": search.field,
        "magzpsci": search.zero_point,
        "magzpscirms": search.zero_point_rms,
        "exptime": search.exposure_s,
        "nmatches": None if search.stars_matched is None else int(search.stars_matched),
        "rfid": ids.reference_id(search.field, number, channel, search.reference_version),
        "nframesref": search.reference_frames,
        "tooflag": 0,
    }


def detection_fields(common: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return the packet fields of one detection.

    Parameters
    ----------
    common : dict
        `search_fields` of the difference that it was found in.
    row : dict
        Of table ``candidates``; what the pixels gave is in its ``record``.
    """
    measured = {key: value for key, value in row["record"].items() if value is not None}
    columns = {
        "xpos": row["x"],
        "ypos": row["y"],
        "magpsf": row["magnitude"],
        "sigmapsf": row["magnitude_error"],
        "scorr": row["signal_to_noise"],
    }
    identity = {
        "pid": row["processing_id"],
        "candid": row["candid"],
        "tblid": row["number"],
        "isdiffpos": "t" if row["positive"] else "f",
        "ra": row["ra_deg"],
        "dec": row["dec_deg"],
    }
    return {**common, **columns, **measured, **identity}


def filter_number(survey: Survey, name: str) -> int:
    """Return the number of a filter by its name in the settings; 0 for one that is not listed."""
    return next((f.number for f in survey.sky.filters if f.name == name), 0)
