"""Build one quadrant's master bias, dark or flat.

Inputs: ``raw`` (one a frame, key of the frame), ``bias`` for darks and flats, ``dark`` (optional) for flats,
``last_master`` (optional). Parameters: `calibration_kind`, `detector`, `quadrant`, `filter`, `frames` (`key`,
`exposure_id`, `filter`, `exposure_s`, `shutter_open`, `overruled`). Product: the master, of the kind's name. Metrics:
`frames`, `level`, `noise`, `bad_pixels`, `unlike_last_fraction`; of a bias `read_noise` (ADU), of a flat `gain`
(electrons per ADU) and `gain_error`, as far as they can be measured. Rows: ``frames`` (`key`, `accepted`, `reason`,
`level`). A last master that cannot be compared with is a flag: ``unreadable_file`` or ``header_impossible``.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nightshift.jobs.contract import UnitResult, UnitWork
from nightshift.jobs.products import Stopwatch, write_product
from nightshift.jobs.translate import (
    aggressors_of,
    gain_of,
    layout_as_measured,
    layout_of,
    master_of,
    master_settings,
    recipe_of,
)
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, ErrorClass, Reason, reason_of
from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.layout import Layout
from reduction.detector.masters import (
    MasterSettings,
    build_master,
    judge_frames,
    unlike_fraction,
)
from reduction.detector.photon_transfer import measure_gain, measure_read_noise
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame, write_frame
from reduction.problems import Problem, Unusable
from reduction.recipes import calibrate

__all__ = ["run"]

METRIC_OF = {"RNADU": "read_noise", "GAINMEAS": "gain", "GAINERR": "gain_error"}


@dataclass(frozen=True)
class Verdict:
    """One frame's level (ADU), NaN where it was not measured, and why it is left out, None where it is not."""

    level: float
    reason: Reason | None


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Build the master; with too few good frames the result is a rejection that names each frame's reason."""
    told = work.parameters
    kind = str(told["calibration_kind"])
    layout = layout_of(survey, int(told["detector"]), int(told["quadrant"]))
    settings = master_settings(survey, kind, layout)
    watch = Stopwatch()
    with watch("read"):
        calibrations = Calibrations(bias=master_of(work, "bias"), dark=master_of(work, "dark"))
        prepared, verdicts = _prepared(work, survey, layout, calibrations)
    with watch("judge_frames"):
        readable = [i for i, frame in enumerate(prepared) if frame is not None and verdicts[i].reason is None]
        seconds = [float(told["frames"][i].get("exposure_s") or 0.0) for i in readable]
        opened = [_opened_s(told["frames"][i]) for i in readable]
        judged = judge_frames([_chosen(prepared, i) for i in readable], settings, seconds, opened)
        for i, verdict in zip(readable, judged, strict=True):
            overruled = told["frames"][i].get("overruled", False)
            reason = None if overruled or verdict.reason is None else reason_of(verdict.reason)
            verdicts[i] = Verdict(verdict.level, reason)
    accepted = [i for i in range(len(verdicts)) if verdicts[i].reason is None]
    rows = {"frames": [_row(frame, verdicts[i]) for i, frame in enumerate(told["frames"])]}
    result = UnitResult(
        work.unit_key, work.token, AttemptState.SUCCEEDED, rows=rows, metrics={"frames": len(accepted)}
    )
    least = survey.calibration.at_least_frames
    if len(accepted) < least:
        detail = f"{len(accepted)} of {len(verdicts)} frames are good; {least} are needed"
        return _rejected(replace(result, seconds=watch.seconds), Reason.TOO_FEW_FRAMES, detail)
    with watch("build_master"):
        times = [float(told["frames"][i].get("exposure_s") or 0.0) for i in accepted]
        frames = [_chosen(prepared, i) for i in accepted]
        master = build_master(frames, times, settings)
    with watch("measure_amplifier"):
        measured = _measured_amplifier(frames, kind, layout, calibrations.bias)
        master = replace(master, header={**master.header, **measured})
        bias, flat = (master, None) if kind == "bias" else (None, master)
        result = replace(result, flags=layout_as_measured(layout, survey, bias, flat)[1])
    return _finished(work, folder, kind, master, settings, result, watch)


def _opened_s(entry: dict[str, Any]) -> float:
    """Return when a frame's shutter opened, in seconds; NaN where the ledger does not know."""
    if not entry.get("shutter_open"):
        return float("nan")
    opened = datetime.fromisoformat(str(entry["shutter_open"]))
    return (opened if opened.tzinfo else opened.replace(tzinfo=UTC)).timestamp()


def _measured_amplifier(frames: list[Frame], kind: str, layout: Layout, bias: Frame | None) -> dict[str, float]:
    """Return what the accepted frames say of the amplifier, as keywords of the master.

    ``RNADU`` and ``RNADUERR``: read noise (ADU) and its error, of biases. ``GAINMEAS`` and ``GAINERR``: electrons
    per ADU and the error, of flats.
    """
    if kind == "bias":
        noise = measure_read_noise(frames)
        return {} if noise is None else {"RNADU": noise.value, "RNADUERR": noise.error}
    if kind == "flat":
        known = layout.read_noise / layout.gain if bias is None else bias.header.get("RNADU")
        gain = measure_gain(frames, layout.read_noise / layout.gain if known is None else known)
        return {} if gain is None else {"GAINMEAS": gain.value, "GAINERR": gain.error}
    return {}


def _chosen(prepared: list[Frame | None], index: int) -> Frame:
    frame = prepared[index]
    assert frame is not None
    return frame


def _finished(
    work: UnitWork,
    folder: Path,
    kind: str,
    master: Frame,
    settings: MasterSettings,
    result: UnitResult,
    watch: Stopwatch,
) -> UnitResult:
    """Write the master and compare it with the last good one."""
    told = work.parameters
    header = {**master.header, "CALKIND": kind, "FILTER": str(told.get("filter") or "")}
    with watch("write"):
        product = write_product(
            folder, kind, f"{kind}.fits", lambda stream: write_frame(stream, replace(master, header=header)),
            inputs=work.inputs,
        )  # fmt: skip
    flags = result.flags
    try:
        unlike = _unlike_last(work, master, kind, settings)
    except Unusable as error:  # it is the last one that cannot serve, which says nothing of this one
        unlike, flags = None, (*flags, reason_of(error.cause))
    metrics = {
        **result.metrics,
        "level": master.header["LEVEL"],
        "noise": master.header["NOISE"],
        "bad_pixels": int((master.mask != 0).sum()),
        "unlike_last_fraction": unlike,
        **{METRIC_OF[keyword]: value for keyword, value in master.header.items() if keyword in METRIC_OF},
    }
    result = replace(result, products=(product,), metrics=metrics, flags=flags, seconds=watch.seconds)
    if unlike is not None and unlike > settings.unlike_fraction:
        detail = f"{unlike:.1%} of the pixels differ from the last good master's by {settings.unlike_sigma:g} sigma"
        return _rejected(result, Reason.UNLIKE_LAST_MASTER, detail)
    return result


def _rejected(result: UnitResult, reason: Reason, detail: str) -> UnitResult:
    error_class = ErrorClass.NEEDS_OPERATOR if reason == Reason.UNLIKE_LAST_MASTER else ErrorClass.BAD_INPUT
    return replace(result, state=AttemptState.REJECTED, reason=reason, error_class=error_class, detail=detail)


def _prepared(
    work: UnitWork, survey: Survey, layout: Layout, calibrations: Calibrations
) -> tuple[list[Frame | None], list[Verdict]]:
    """Read every frame of the set; a frame that is of another filter or does not read gets its reason here."""
    told = work.parameters
    place = int(told["detector"]), int(told["quadrant"])
    raws = {item.key: item for item in work.inputs_of("raw")}
    frames: list[Frame | None] = []
    verdicts: list[Verdict] = []
    for entry in told["frames"]:
        frame: Frame | None = None
        reason: Reason | None = None
        if told["calibration_kind"] == "flat" and (entry.get("filter") or "") != (told.get("filter") or ""):
            reason = Reason.FILTER_MISMATCH
        elif entry["key"] not in raws:
            reason = Reason.INPUT_LOST
        else:
            try:
                frame = _one(Path(raws[entry["key"]].path), place, layout, survey, calibrations, entry)
            except Unusable as error:
                reason = reason_of(error.cause)
        frames.append(frame)
        verdicts.append(Verdict(float("nan"), reason))
    return frames, verdicts


def _one(
    path: Path,
    place: tuple[int, int],
    layout: Layout,
    survey: Survey,
    calibrations: Calibrations,
    entry: dict[str, Any],
) -> Frame:
    raw, layout = read_quadrant(path, layout)
    seconds = float(entry.get("exposure_s") or 0.0)
    settings = DetectorSettings(layout, seconds, mask_edge_px=survey.camera.mask_edge_px)
    aggressors, unread = aggressors_of(survey, *place, path)
    if unread:
        raise Unusable(Problem.CROSSTALK_LEFT, f"{path.name}: quadrants {unread}, which this one hears, do not read")
    frame = calibrate(raw, replace(calibrations, aggressors=aggressors), settings, recipe_of(survey).prepare)
    if calibrations.dark is not None and seconds > 0:
        per_adu = np.float32(seconds / gain_of(calibrations.dark, layout.gain))
        dark = calibrations.dark.image * per_adu
        frame = replace(frame, image=np.subtract(frame.image, dark, out=dark))
    return frame


def _unlike_last(work: UnitWork, master: Frame, kind: str, settings: MasterSettings) -> float | None:
    """Return the fraction of pixels that differ from the last good master's, None where there is none.

    Raises
    ------
    Unusable
        Where the last one does not read, lacks values or says an impossible gain.
    """
    last = master_of(work, "last_master")
    if last is None or last.shape != master.shape or last.variance is None or master.variance is None:
        return None
    good = (master.mask == 0) & (last.mask == 0)
    # Beyond the uncertainties a master may wander by 2% (twilight's colour, dust) or a fifth of the read noise.
    if kind == "flat":
        floor = 0.02 / settings.unlike_sigma * 3
    else:
        floor = 0.2 * settings.read_noise / (settings.gain if kind == "bias" else 100.0)
    # darks are electrons by the gain of their time: a gain that was put right since is no change of the detector
    scale = settings.gain / gain_of(last, settings.gain) if kind == "dark" else 1.0
    noise = np.sqrt(master.variance + scale**2 * last.variance + floor**2)
    return unlike_fraction((master.image - scale * last.image)[good], noise[good], sigma=settings.unlike_sigma)


def _row(entry: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    return {"key": entry["key"], "accepted": verdict.reason is None, "reason": verdict.reason, "level": verdict.level}
