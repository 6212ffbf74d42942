"""What a master leaves in the ledger: its row, and what was made of each of its frames."""

from datetime import date
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.jobs.contract import UnitWork
from nightshift.keys import CalibrationKey
from nightshift.kinds.master import queries
from nightshift.kinds.science.again import reduce_again
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.nights import night_bounds
from nightshift.vocabulary import CalibrationKind, CalibrationState, EventLevel, Reason
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject

__all__ = ["end", "forget_cancelled", "home", "let_serve", "record"]


def home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder of a master, and its night."""
    key = _calibration_key(subject, work)
    return context.depot.calibration(key), key.night


def record(context: Context, ending: Ending) -> None:
    """Write the master and what was made of each of its frames. A failure ends the version too, with its reason."""
    key, outcome, metrics = _calibration_key(ending.subject, ending.work), ending.outcome, ending.metrics
    in_service = ending.succeeded and key.kind.value in ending.products
    valid_from, _ = night_bounds(context.site, key.night)
    reason = None if in_service else outcome.reason or Reason.RESULT_INVALID
    queries.put_calibration(
        context.ledger,
        kind=key.kind, instrument=key.instrument, detector=key.detector, quadrant=key.quadrant, filter=key.filter,
        night=key.night, epoch=key.epoch, version=key.version, campaign=key.campaign, calibration_key=str(key),
        state=CalibrationState.IN_SERVICE if in_service else CalibrationState.REJECTED,
        reason=reason, detail=outcome.detail[:2000],
        product_key=ending.products.get(key.kind.value), frames=metrics.get("frames") or 0,
        level=metrics.get("level"), noise=metrics.get("noise"), read_noise=metrics.get("read_noise"),
        gain=metrics.get("gain"), gain_error=metrics.get("gain_error"), valid_from=valid_from,
    )  # fmt: skip
    if in_service:
        _say_what_disagrees(context, ending, key)
    frames = {"rows": _judged_frames(ending, reason)}
    queries.put_calibration_frames(context.ledger, calibration_key=str(key), frames=frames)
    if in_service:
        let_serve(context, key)
    else:
        context.ledger.event(
            EventLevel.WARNING, "master_rejected", f"No master: {reason}. {outcome.detail}"[:1000],
            subject=key, night_time=context.clock.now(), reason=reason,
        )  # fmt: skip


def let_serve(context: Context, key: CalibrationKey) -> None:
    """Let be due what a master that serves from now on was lacking to; call it in the transaction that says so."""
    queries.release_held(
        context.ledger,
        instrument=key.instrument, night=key.night, filter=key.filter, detector=key.detector,
        quadrant=key.quadrant, campaign=key.campaign,
    )  # fmt: skip
    exposure_queries.reopen_exposures(context.ledger, instrument=key.instrument, night=key.night)
    reduce_again(context, key.instrument, key.night, key.detector, key.quadrant)


def end(context: Context, subject: Subject) -> None:
    """End the exposures of a set of which every quadrant of every usable frame was judged."""
    queries.end_set(
        context.ledger,
        instrument=subject["instrument"], night=subject.night, kind=subject["kind"], filter=subject["filter"],
        quadrants=len(context.survey.camera.quadrant_ids), campaign=subject.campaign,
    )  # fmt: skip


def forget_cancelled(context: Context, subject: Subject) -> None:
    """Take back the masters that a cancel left as rejected."""
    exposure_queries.reopen_exposures_of_job(context.ledger, job_key=subject.job_key)
    queries.forget_cancelled_calibration_frames(context.ledger, job_key=subject.job_key)
    queries.forget_cancelled_calibrations(context.ledger, job_key=subject.job_key)


def _say_what_disagrees(context: Context, ending: Ending, key: CalibrationKey) -> None:
    """Leave an event where the amplifier is not what the settings say, or the last master could not be compared."""
    assert ending.outcome.result is not None
    metrics, said = ending.metrics, context.survey.camera.quadrant(key.detector, key.quadrant)
    noise, gain, read_noise = said.read_noise / said.gain, metrics.get("gain"), metrics.get("read_noise")
    serves, compared = "What was measured serves.", "The new one was compared with none."
    sentences = {
        Reason.GAIN_DISAGREES: f"{_shown(gain)} electrons per ADU, by the settings {said.gain:.4g}. {serves}",
        Reason.READ_NOISE_DISAGREES: f"Read noise {_shown(read_noise)} ADU, by the settings {noise:.4g}. {serves}",
        Reason.UNREADABLE_FILE: f"The last good master does not read. {compared}",
        Reason.HEADER_IMPOSSIBLE: f"The last good master's header says an impossible gain. {compared}",
    }
    for reason in ending.outcome.result.flags:
        if reason in sentences:
            context.ledger.event(
                EventLevel.WARNING, reason, sentences[reason],
                subject=key, night_time=context.clock.now(), reason=reason,
            )  # fmt: skip


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _judged_frames(ending: Ending, reason: Reason | None) -> list[dict[str, Any]]:
    """Return one row a planned frame. Without a master no frame served, whatever the job thought of it."""
    judged = {row["key"]: row for row in ending.rows("frames")}
    rows = []
    for frame in ending.work.parameters["frames"]:
        instrument, exposure_id, detector = frame["key"].split("/")
        row = judged.get(frame["key"], {"accepted": False})
        accepted = bool(row["accepted"]) and reason is None
        rows.append(
            {
                "instrument": instrument,
                "exposure_id": exposure_id,
                "detector": int(detector[1:]),
                "accepted": accepted,
                "reason": None if accepted else row.get("reason") or reason or Reason.RESULT_INVALID,
                "level": row.get("level"),
            }
        )
    return rows


def _calibration_key(subject: Subject, work: UnitWork) -> CalibrationKey:
    parameters = work.parameters
    return CalibrationKey(
        CalibrationKind(subject["kind"]), subject["instrument"], parameters["detector"], parameters["quadrant"],
        subject["filter"], subject.night, epoch=parameters.get("epoch", 1), version=int(subject["version"]),
        campaign=subject.campaign,
    )  # fmt: skip
