"""Which masters a calibration set needs, and of which frames."""

from collections import defaultdict
from typing import Any

from nightshift.context import Context
from nightshift.jobs.contract import Input
from nightshift.keys import CalibrationKey, FrameKey, serving
from nightshift.kinds.master.fallback import Masters, read_masters
from nightshift.kinds.plans import Plan, PlannedUnit, input_of_product
from nightshift.vocabulary import CalibrationKind
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan one unit a quadrant of a calibration set."""
    instrument, night, kind = subject["instrument"], subject.night, CalibrationKind(subject["kind"])
    set_of = {"instrument": instrument, "night": night, "kind": kind, "filter": subject["filter"]}
    ledger, camera = context.ledger, context.survey.camera
    frames = defaultdict(list)
    for row in ledger.rows("master", "frames_of_set", **set_of):
        frames[row["detector"]].append(row)
    made = {r["calibration_key"] for r in ledger.rows(
        "master", "masters_of_version", version=int(subject["version"]), campaign=subject.campaign, **set_of,
    )}  # fmt: skip
    policy = context.survey.calibration
    last = ledger.rows(
        "master", "last_masters", **set_of, oldest=policy.epoch_begins(night), campaigns=serving(subject.campaign)
    )
    before = {(r["detector"], r["quadrant"]): r for r in last}
    masters = read_masters(context, instrument, night, subject["filter"], subject.campaign)
    units: list[PlannedUnit] = []
    for detector, rows in sorted(frames.items()):
        for quadrant in camera.quadrant_ids:
            key = CalibrationKey(
                kind, instrument, detector, quadrant, subject["filter"], night,
                epoch=policy.epoch(night), version=int(subject["version"]), campaign=subject.campaign,
            )  # fmt: skip
            if str(key) not in made:
                compared = before.get((detector, quadrant))
                units.append(_master_unit(context, key, rows, masters, compared, task=len(units)))
    return Plan(context.site.name, night, tuple(units))


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
    last_master = [input_of_product(context, "last_master", last)] if last else []
    return PlannedUnit(str(key), task, (*raw, *chosen.inputs, *last_master), parameters)
