"""A searched difference and the detections in it, as the fields of a packet."""

from typing import Any

from nightshift.alerts.ids import id_rule, julian_date, night_id, readout_channel
from nightshift.ledger import Ledger
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries.alerts import Candidate, EarlierDetection, Search
from nightshift.settings import Survey

__all__ = ["detection_fields", "search_fields", "searches_of"]


def searches_of(ledger: Ledger, unit_keys: list[str]) -> dict[str, Search]:
    """Return the searched differences among some units, by unit."""
    return {search.unit_key: search for search in alert_queries.searches_of_units(ledger, unit_keys=unit_keys)}


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


def detection_fields(common: dict[str, Any], detection: Candidate | EarlierDetection) -> dict[str, Any]:
    """Return the packet fields of one detection.

    Parameters
    ----------
    common : dict
        `search_fields` of the difference that it was found in.
    detection : Candidate or EarlierDetection
        What the pixels gave is in its ``record``.
    """
    measured = {key: value for key, value in detection.record.items() if value is not None}
    columns = {
        "xpos": detection.x,
        "ypos": detection.y,
        "magpsf": detection.magnitude,
        "sigmapsf": detection.magnitude_error,
        "scorr": detection.signal_to_noise,
    }
    identity = {
        "pid": detection.processing_id,
        "candid": detection.candid,
        "tblid": detection.number,
        "isdiffpos": "t" if detection.positive else "f",
        "ra": detection.ra_deg,
        "dec": detection.dec_deg,
    }
    return {**common, **columns, **measured, **identity}


def filter_number(survey: Survey, name: str) -> int:
    """Return the number of a filter by its name in the settings; 0 for one that is not listed."""
    return next((f.number for f in survey.sky.filters if f.name == name), 0)
