"""Which masters a calibration set needs, and of which frames."""

from collections import defaultdict

from nightshift.context import Context
from nightshift.keys import CalibrationKey, FrameKey, serving
from nightshift.kinds.master import queries
from nightshift.kinds.master.fallback import Masters, read_masters
from nightshift.kinds.master.queries import CalibrationFrame, LastMaster
from nightshift.kinds.plans import Plan, PlannedUnit, input_in_depot
from nightshift.vocabulary import CalibrationKind
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan one unit a quadrant of a calibration set."""
    instrument, night, kind = subject["instrument"], subject.night, CalibrationKind(subject["kind"])
    ledger, camera, policy = context.ledger, context.survey.camera, context.survey.calibration
    frames = _frames_by_detector(context, subject)
    made = queries.masters_of_version(
        ledger, instrument=instrument, night=night, kind=kind, filter=subject["filter"],
        version=int(subject["version"]), campaign=subject.campaign,
    )  # fmt: skip
    made_keys = {master.calibration_key for master in made}
    last = queries.last_masters(
        ledger, instrument=instrument, night=night, kind=kind, filter=subject["filter"],
        oldest=policy.epoch_begins(night), campaigns=serving(subject.campaign),
    )  # fmt: skip
    before = {(master.detector, master.quadrant): master for master in last}
    masters = read_masters(context, instrument, night, subject["filter"], subject.campaign)
    units: list[PlannedUnit] = []
    for detector, rows in sorted(frames.items()):
        for quadrant in camera.quadrant_ids:
            key = CalibrationKey(
                kind, instrument, detector, quadrant, subject["filter"], night,
                epoch=policy.epoch(night), version=int(subject["version"]), campaign=subject.campaign,
            )  # fmt: skip
            if str(key) not in made_keys:
                compared = before.get((detector, quadrant))
                units.append(_master_unit(context, key, rows, masters, compared, task=len(units)))
    return Plan(context.site.name, night, tuple(units))


def _frames_by_detector(context: Context, subject: Subject) -> dict[int, list[CalibrationFrame]]:
    frames = defaultdict(list)
    for frame in queries.frames_of_set(
        context.ledger, instrument=subject["instrument"], night=subject.night, kind=subject["kind"],
        filter=subject["filter"],
    ):  # fmt: skip
        frames[frame.detector].append(frame)
    return frames


def _master_unit(
    context: Context,
    key: CalibrationKey,
    frames: list[CalibrationFrame],
    masters: Masters,
    last: LastMaster | None,
    *,
    task: int,
) -> PlannedUnit:
    frame_keys = [str(FrameKey(frame.instrument, frame.exposure_id, frame.detector)) for frame in frames]
    raw = [
        input_in_depot(context, "raw", frame.path, frame.sha256, frame_key)
        for frame, frame_key in zip(frames, frame_keys, strict=True)
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
                "exposure_id": frame.exposure_id,
                "filter": frame.meant_filter,
                "overruled": frame.accepted,
                "exposure_s": frame.exposure_s,
                "shutter_open": frame.shutter_open.isoformat(),
            }
            for frame, frame_key in zip(frames, frame_keys, strict=True)
        ],
    }
    last_master = [input_in_depot(context, "last_master", last.path, last.sha256, last.product_key)] if last else []
    return PlannedUnit(str(key), task, (*raw, *chosen.inputs, *last_master), parameters)
