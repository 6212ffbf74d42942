"""One function a kind of job: from a subject to its units, with inputs and parameters by the job contract.

Planning reads the ledger and decides; it changes nothing but the reasons of units that cannot be worked on.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from nightshift.clock import MJD_EPOCH
from nightshift.context import Context
from nightshift.files import sha256_of, write_json
from nightshift.jobs.contract import Input
from nightshift.keys import CalibrationKey, FrameKey, ReferenceKey
from nightshift.nights import night_of
from nightshift.settings import bad_pixels_file, settings_hash
from nightshift.vocabulary import CalibrationKind, EventLevel, JobKind, Reason, UnitState
from nightshift.workflow.due import catalogue_path
from nightshift.workflow.master_fallback import MasterChoice, Masters, read_masters
from nightshift.workflow.subjects import Subject

__all__ = ["PLANNERS", "Plan", "PlannedUnit"]


@dataclass(frozen=True)
class PlannedUnit:
    """One unit before it has an attempt.

    Parameters
    ----------
    unit_key : str
    task : int
        Units of the same task are taken by one process.
    inputs : tuple of Input
    parameters : dict
    """

    unit_key: str
    task: int
    inputs: tuple[Input, ...]
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """All that a subject needs now.

    Parameters
    ----------
    site, night : str, date
        Of the job.
    units : tuple of PlannedUnit
        May be empty.
    """

    site: str
    night: date
    units: tuple[PlannedUnit, ...]


def _product(context: Context, role: str, row: dict[str, Any], prefix: str = "") -> Input:
    """Return an input from a row that holds a product's path, checksum and key under a common prefix."""
    key = row[f"{prefix}key"] if prefix else row["product_key"]
    return Input(role, str(context.depot.absolute(row[f"{prefix}path"])), row[f"{prefix}sha256"], key)


# --- masters ------------------------------------------------------------------------------------------------


def plan_masters(context: Context, subject: Subject) -> Plan:
    """Plan one unit a quadrant of a calibration set."""
    instrument, night, kind = subject["instrument"], subject.night, CalibrationKind(subject["kind"])
    set_of = {"instrument": instrument, "night": night, "kind": kind, "filter": subject["filter"]}
    ledger, camera = context.ledger, context.survey.camera
    frames = defaultdict(list)
    for row in ledger.rows("workflow", "frames_of_set", **set_of):
        frames[row["detector"]].append(row)
    made = {r["calibration_key"] for r in ledger.rows(
        "workflow", "masters_of_version", version=int(subject["version"]), **set_of)}  # fmt: skip
    policy = context.survey.calibration
    last = ledger.rows("workflow", "last_masters", **set_of, oldest=policy.epoch_begins(night))
    before = {(r["detector"], r["quadrant"]): r for r in last}
    masters = read_masters(context, instrument, night, subject["filter"])
    units: list[PlannedUnit] = []
    for detector, rows in sorted(frames.items()):
        for quadrant in camera.quadrant_ids:
            key = CalibrationKey(
                kind, instrument, detector, quadrant, subject["filter"], night,
                epoch=policy.epoch(night), version=int(subject["version"]),
            )  # fmt: skip
            if str(key) not in made:
                compared = before.get((detector, quadrant))
                units.append(_master_unit(context, key, rows, masters, compared, task=len(units)))
    return Plan(context.survey.site.name, night, tuple(units))


def _master_unit(
    context: Context,
    key: CalibrationKey,
    rows: list[dict[str, Any]],
    masters: Masters,
    last: dict[str, Any] | None,
    *,
    task: int,
) -> PlannedUnit:
    frame_keys = [str(FrameKey(r["instrument"], r["exposure_id"], r["detector"])) for r in rows]
    raw = [
        Input("raw", str(context.depot.absolute(r["path"])), r["sha256"], k)
        for r, k in zip(rows, frame_keys, strict=True)
    ]
    needs = {
        CalibrationKind.BIAS: (),
        CalibrationKind.DARK: (CalibrationKind.BIAS,),
        CalibrationKind.FLAT: (CalibrationKind.BIAS, CalibrationKind.DARK),
    }[key.kind]
    chosen = masters.choose(
        [kind for kind in needs if kind in context.survey.calibration.kinds], key.detector, key.quadrant
    )
    parameters = {
        "calibration_kind": key.kind.value,
        "detector": key.detector,
        "quadrant": key.quadrant,
        "filter": key.filter,
        "epoch": key.epoch,
        "flags": [flag.value for flag in chosen.flags],
        "frames": [
            {
                "key": frame_key,
                "exposure_id": row["exposure_id"],
                "filter": row["meant_filter"],
                "overruled": row["accepted"],
                "exposure_s": row["exposure_s"],
                "shutter_open": row["shutter_open"].isoformat(),
            }
            for row, frame_key in zip(rows, frame_keys, strict=True)
        ],
    }
    last_master = [_product(context, "last_master", last)] if last else []
    return PlannedUnit(str(key), task, (*raw, *chosen.inputs, *last_master), parameters)


# --- science ------------------------------------------------------------------------------------------------


def plan_science(context: Context, subject: Subject) -> Plan:
    """Plan the units of an exposure that are pending, and hold those that the ladder's last rung holds."""
    exposure = _exposure(context, subject)
    context.ledger.run(
        "workflow", "reject_invalid_units",
        instrument=exposure["instrument"], exposure_id=exposure["exposure_id"],
    )  # fmt: skip
    rows = context.ledger.rows(
        "workflow", "units_to_do",
        instrument=exposure["instrument"], exposure_id=exposure["exposure_id"], campaign=subject.campaign,
    )  # fmt: skip
    masters = read_masters(context, exposure["instrument"], exposure["night"], exposure["filter"])
    catalogues = _catalogues(context, exposure)
    references = _references(context, exposure)
    tasks = _tasks(context, rows)
    units = []
    for row in rows:
        place = (row["detector"], row["quadrant"])
        chosen = masters.choose(context.survey.calibration.kinds, *place)
        if chosen.missing and context.survey.calibration.without_master == "hold":
            _hold(context, row["unit_key"], chosen)
            continue
        raw_key = str(FrameKey(exposure["instrument"], exposure["exposure_id"], row["detector"]))
        raw = Input("raw", str(context.depot.absolute(row["path"])), row["sha256"], raw_key)
        reference = references.get(place)
        inputs = (
            raw,
            *chosen.inputs,
            *_bad_pixels(context, place),
            *catalogues.of(place),
            *_reference_inputs(context, reference),
        )
        parameters = {
            **_exposure_parameters(exposure, row),
            "flags": [flag.value for flag in chosen.flags],
            "own_catalogue": catalogues.own,
            "reference_key": reference["reference_key"] if reference else None,
            "in_reference": False,
            "overruled": row["accepted"],
        }
        units.append(PlannedUnit(row["unit_key"], tasks[place], inputs, parameters))
    return Plan(exposure["site"], exposure["night"], tuple(units))


def _exposure(context: Context, subject: Subject) -> dict[str, Any]:
    row = context.ledger.row(
        "workflow", "exposure", instrument=subject["instrument"], exposure_id=subject["exposure_id"]
    )
    if row is None:
        raise LookupError(f"no exposure {subject['instrument']}/{subject['exposure_id']} is registered")
    return row


def _exposure_parameters(exposure: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    return {
        "instrument": exposure["instrument"],
        "exposure_id": exposure["exposure_id"],
        "detector": row["detector"],
        "quadrant": row["quadrant"],
        "filter": exposure["filter"],
        "field": exposure["field"],
        "exposure_s": exposure["exposure_s"],
        "shutter_open": exposure["shutter_open"].isoformat(),
        "ra_deg": exposure["ra_deg"],
        "dec_deg": exposure["dec_deg"],
        "airmass": exposure["airmass"],
    }


def _tasks(context: Context, rows: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Number the tasks of an array: one a detector's file, or one a quadrant, as the camera's settings say."""
    places = [(r["detector"], r["quadrant"]) for r in rows]
    if context.survey.camera.units_per_task == "quadrant":
        return {place: index for index, place in enumerate(places)}
    detectors = sorted({detector for detector, _ in places})
    return {place: detectors.index(place[0]) for place in places}


def _hold(context: Context, unit_key: str, chosen: MasterChoice) -> None:
    names = ", ".join(chosen.missing)
    context.ledger.run(
        "workflow", "end_unit",
        unit_key=unit_key, state=UnitState.HELD, reason=Reason.CALIBRATION_MISSING, detail=f"no master {names}",
        flags=[],
    )  # fmt: skip
    context.ledger.event(
        EventLevel.WARNING, "unit_held", f"No master {names} serves: held until one does.",
        subject=unit_key, night_time=context.clock.now(),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _sha256_of_state(path: Path, modified_ns: int, size: int) -> str:
    return sha256_of(path)


def _file(role: str, path: Path, key: str) -> Input:
    """Return an input that is a file of the user's own."""
    status = path.stat()
    return Input(role, str(path), _sha256_of_state(path, status.st_mtime_ns, status.st_size), key)


def _bad_pixels(context: Context, place: tuple[int, int]) -> tuple[Input, ...]:
    path = bad_pixels_file(context.survey, *place)
    key = f"bad_pixels/{context.survey.camera.bad_pixels_of(*place)}"
    return () if path is None else (_file("bad_pixels", path.absolute(), key),)


class _Catalogues:
    """What the stars of an exposure are compared with: the field's catalogue, or its own first good frame."""

    def __init__(self, shared: Input | None, own: dict[tuple[int, int], Input]):
        self.own = shared is None
        self._shared, self._own = shared, own

    def of(self, place: tuple[int, int]) -> tuple[Input, ...]:
        chosen = self._shared or self._own.get(place)
        return (chosen,) if chosen else ()


def _catalogues(context: Context, exposure: dict[str, Any]) -> _Catalogues:
    path = catalogue_path(context, exposure["field"])
    if path is not None:
        return _Catalogues(_file("catalogue", path, f"catalogue/{path.name}"), {})
    if exposure["field"] is None:
        return _Catalogues(None, {})
    rows = context.ledger.rows(
        "workflow", "own_catalogues", fields=[exposure["field"]], instrument=exposure["instrument"]
    )
    return _Catalogues(
        None,
        {
            (r["detector"], r["quadrant"]): _product(context, "catalogue", r)
            for r in rows
            if r["filter"] == exposure["filter"]
        },
    )


def _references(context: Context, exposure: dict[str, Any]) -> dict[tuple[int, int], dict[str, Any]]:
    if exposure["field"] is None:
        return {}
    rows = context.ledger.rows(
        "workflow", "references_serving",
        instrument=exposure["instrument"], field=exposure["field"], filter=exposure["filter"],
        shutter_open=exposure["shutter_open"],
    )  # fmt: skip
    return {(r["detector"], r["quadrant"]): r for r in rows}


def _reference_inputs(context: Context, row: dict[str, Any] | None) -> tuple[Input, ...]:
    if row is None:
        return ()
    return (
        _product(context, "reference", row),
        _product(context, "reference_sources", row, "sources_"),
    )


# --- differences --------------------------------------------------------------------------------------------


def plan_differences(context: Context, subject: Subject) -> Plan:
    """Plan the quadrants that were reduced before their reference came into service."""
    exposure = _exposure(context, subject)
    rows = context.ledger.rows(
        "workflow", "units_to_difference",
        instrument=exposure["instrument"], exposure_id=exposure["exposure_id"], campaign=subject.campaign,
    )  # fmt: skip
    references = _references(context, exposure)
    rows = [row for row in rows if (row["detector"], row["quadrant"]) in references]
    tasks = _tasks(context, rows)
    units = []
    for row in rows:
        place = (row["detector"], row["quadrant"])
        reference = references[place]
        member = context.ledger.value(
            "workflow", "is_member", reference_key=reference["reference_key"], unit_key=row["unit_key"]
        )
        inputs = (
            _product(context, "calibrated", row, "calibrated_"),
            _product(context, "sources", row, "sources_"),
            *_reference_inputs(context, reference),
        )
        parameters = {
            **_exposure_parameters(exposure, row),
            "flags": [],
            "own_catalogue": catalogue_path(context, exposure["field"]) is None,
            "reference_key": reference["reference_key"],
            "in_reference": member is not None,
        }
        units.append(PlannedUnit(row["unit_key"], tasks[place], inputs, parameters))
    return Plan(exposure["site"], exposure["night"], tuple(units))


# --- references ---------------------------------------------------------------------------------------------


def plan_references(context: Context, subject: Subject) -> Plan:
    """Plan one unit a quadrant of a field and filter that lacks this version and has enough good frames.

    Where a person asked for some quadrants only (``quadrants`` of the run's conf: ``d01/q1,...``), only those.
    """
    field = int(subject["field"])
    of_field = {"instrument": subject["instrument"], "field": field, "filter": subject["filter"]}
    version, policy = int(subject["version"]), context.survey.reference
    earliest = context.ledger.value("workflow", "earliest_unended", **of_field)
    made = {
        (r["detector"], r["quadrant"])
        for r in context.ledger.rows("workflow", "reference_versions", version=version, **of_field)
        if r["made"]
    }
    good = defaultdict(list)
    for row in context.ledger.rows("workflow", "good_units", **of_field):
        good[row["detector"], row["quadrant"]].append(row)
    asked = context.ledger.row("workflow", "conf_of_subject", subject=subject.job_key) or {"conf": {}}
    wanted = {name for name in asked["conf"].get("quadrants", "").split(",") if name}
    units: list[PlannedUnit] = []
    nights: list[date] = []
    for place, rows in sorted(good.items()):
        if wanted and f"d{place[0]:02d}/q{place[1]}" not in wanted:
            continue
        if earliest is not None:
            rows = [row for row in rows if row["shutter_open"] < earliest]
        if place in made or len(rows) < policy.at_least_frames:
            continue
        members = choose_members(rows, policy)
        key = ReferenceKey(field, subject["instrument"], *place, subject["filter"], version)
        units.append(_reference_unit(context, key, members, task=len(units)))
        nights.append(max(member["night"] for member in members))
    night = max(nights, default=night_of(context.survey.site, context.clock.now()))
    return Plan(context.survey.site.name, night, tuple(units))


def choose_members(rows: list[dict[str, Any]], policy) -> list[dict[str, Any]]:
    """Choose a reference's members by the survey's policy; they are returned in shutter order.

    Parameters
    ----------
    rows : list of dict
        The good frames in shutter order.
    policy : ReferencePolicy
        ``first``: the first `at_least_frames`, so that a first reference serves soon and does not depend on what
        comes later. ``best_seeing``: the sharpest, `at_most_frames` at most.
    """
    if policy.choose == "first":
        return rows[: policy.at_least_frames]
    sharpest = sorted(rows, key=lambda row: (row["fwhm_px"] is None, row["fwhm_px"], row["unit_key"]))
    chosen = {row["unit_key"] for row in sharpest[: policy.at_most_frames]}
    return [row for row in rows if row["unit_key"] in chosen]


def _reference_unit(context: Context, key: ReferenceKey, members: list[dict[str, Any]], *, task: int) -> PlannedUnit:
    calibrated = [_product(context, "calibrated", member, "calibrated_") for member in members]
    sources = [_product(context, "sources", member, "sources_") for member in members]
    parameters = {
        "field": key.field,
        "filter": key.filter,
        "members": [
            {
                "unit_key": member["unit_key"],
                "shutter_open": member["shutter_open"].isoformat(),
                "fwhm_px": member["fwhm_px"],
                "zero_point": member["zero_point"],
            }
            for member in members
        ],
    }
    return PlannedUnit(str(key), task, (*calibrated, *sources), parameters)


# --- moving objects -----------------------------------------------------------------------------------------


def plan_moving_objects(context: Context, subject: Subject) -> Plan:
    """Plan the night's linking, with its detections in a file of their own."""
    night = subject.night
    rows = context.ledger.rows(
        "workflow", "detections_of_night",
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
    middle = row["shutter_open"] + timedelta(seconds=row["exposure_s"] / 2)
    return (middle - MJD_EPOCH) / timedelta(days=1)


PLANNERS: dict[JobKind, Callable[[Context, Subject], Plan]] = {
    JobKind.MASTER: plan_masters,
    JobKind.SCIENCE: plan_science,
    JobKind.REFERENCE: plan_references,
    JobKind.DIFFERENCE: plan_differences,
    JobKind.MOVING_OBJECTS: plan_moving_objects,
}
