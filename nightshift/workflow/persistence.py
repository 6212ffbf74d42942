"""Results into the ledger: one function a kind of job, one transaction a unit.

Products move from the attempt's folder to their place in the depot inside that transaction, after their checksums
were verified. A crash between the move and the commit is mended by the next collection, which finds the same bytes
at their place.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import nightshift
from nightshift.alerts.ids import candidate_id, processing_id, readout_channel
from nightshift.clock import MJD_EPOCH
from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.files import sha256_of, sync_folder
from nightshift.jobs.contract import JobFile, Product, UnitResult, UnitWork
from nightshift.keys import CalibrationKey, ReferenceKey, UnitKey
from nightshift.nights import night_bounds, night_of
from nightshift.vocabulary import (
    AttemptState,
    CalibrationKind,
    CalibrationState,
    ErrorClass,
    EventLevel,
    JobKind,
    Reason,
    ReferenceState,
    UnitState,
)
from nightshift.workflow.subjects import Subject

__all__ = ["IMAGE_QUALITY", "Outcome", "end_subject", "record", "tries_made"]

FREE_TRIES = 10  # of a unit that could not write: a disk that is away so often is no passing trouble
MOST_CANDIDATES = 999  # a candid has three digits for their number
IMAGE_QUALITY = (  # measurements of an image that are columns of the ledger
    "fwhm_px", "elongation", "background", "background_rms", "zero_point", "zero_point_rms", "stars_matched",
    "astrometry_rms_arcsec", "pointing_offset_arcsec", "limiting_magnitude", "sources", "saturated_fraction",
    "masked_fraction", "cosmic_ray_pixels", "corners_deg", "same_value_fraction", "thousands_fraction",
    "read_noise_ratio", "pattern_noise", "trails", "psf_stars", "zero_point_stars", "zero_point_uncertainty",
    "zero_point_zenith", "colour_term",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended.

    Parameters
    ----------
    state : AttemptState
    result : UnitResult or None
        What it left; None where it left nothing that is believed.
    reason, error_class, detail
        Why it did not succeed.
    restarts, host : int, str
        From the runner.
    """

    state: AttemptState
    result: UnitResult | None = None
    reason: Reason | None = None
    error_class: ErrorClass | None = None
    detail: str = ""
    restarts: int = 0
    host: str = ""


@dataclass(frozen=True)
class Ending:
    """A unit whose work has ended for good, with everything its record function needs."""

    subject: Subject
    attempt: Mapping[str, Any]
    job: JobFile
    work: UnitWork
    outcome: Outcome
    products: dict[str, str]  # kind -> product key

    @property
    def metrics(self) -> dict[str, Any]:
        """What the job measured; empty where it left nothing."""
        return self.outcome.result.metrics if self.outcome.result else {}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return a table that the job left."""
        return self.outcome.result.rows.get(name, []) if self.outcome.result else []

    @property
    def succeeded(self) -> bool:
        """Whether the attempt succeeded."""
        return self.outcome.state is AttemptState.SUCCEEDED


def record(
    context: Context,
    subject: Subject,
    attempt: Mapping[str, Any],
    job: JobFile,
    outcome: Outcome,
    *,
    final: bool = False,
) -> tuple[str, Outcome]:
    """Write how an attempt ended, with its products and rows, in one transaction.

    Parameters
    ----------
    final : bool
        Whether an attempt whose products cannot be read or moved now has failed: nobody looks again.

    Raises
    ------
    nightshift.errors.Retry
        STORAGE_UNAVAILABLE, if they cannot and somebody will.

    Returns
    -------
    str
        ``succeeded``, ``rejected``, ``failed``, ``retried``, or ``known`` where somebody else wrote it before.
    Outcome
        As it was written: a result whose products are not what it says is a failure after all.
    """
    work = next(unit for unit in job.units if unit.token == attempt["token"])
    if outcome.result is not None and any(row for row in outcome.result.rows.get("candidates", [])):
        context.ledger.rows(
            "workflow", "make_candidates_partition", shutter_open=_time(work.parameters["shutter_open"])
        )
    with context.ledger.transaction():
        if context.ledger.row("workflow", "lock_attempt", token=attempt["token"]) is None:
            return "known", outcome
        try:
            products = _keep_products(context, subject, attempt, job, work, outcome)
        except Retry as error:
            if error.reason is Reason.STORAGE_UNAVAILABLE and not final:
                raise  # says nothing of the attempt: it is looked at again
            outcome = Outcome(
                AttemptState.FAILED, reason=error.reason, error_class=ErrorClass.RETRY, detail=str(error),
                restarts=outcome.restarts, host=outcome.host,
            )  # fmt: skip
            products = {}
        _end_attempt(context, attempt, outcome)
        if _tries_again(context, attempt, outcome):
            _say_retried(context, attempt, outcome)
            context.ledger.run("workflow", "return_unit", unit_key=attempt["unit_key"])
            return "retried", outcome
        RECORDERS[subject.kind](context, Ending(subject, attempt, job, work, outcome, products))
        if outcome.state in (AttemptState.FAILED, AttemptState.LOST):
            _say_failed(context, attempt, outcome)
            return "failed", outcome
        return outcome.state.value, outcome


def end_subject(context: Context, subject: Subject) -> None:
    """End the exposures of a subject whose units have all ended."""
    if subject.kind is JobKind.SCIENCE:
        context.ledger.run(
            "workflow", "end_exposure",
            instrument=subject["instrument"], exposure_id=subject["exposure_id"],
        )  # fmt: skip
    elif subject.kind is JobKind.MASTER:
        context.ledger.run(
            "workflow", "end_set",
            instrument=subject["instrument"], night=subject.night, kind=subject["kind"], filter=subject["filter"],
            quadrants=len(context.survey.camera.quadrant_ids),
        )  # fmt: skip


# --- attempts -----------------------------------------------------------------------------------------------


def _end_attempt(context: Context, attempt: Mapping[str, Any], outcome: Outcome) -> None:
    result = outcome.result
    context.ledger.run(
        "workflow", "end_attempt",
        token=attempt["token"], state=outcome.state, reason=outcome.reason, error_class=outcome.error_class,
        detail=outcome.detail[:2000], restart_count=outcome.restarts, host=(result.host if result else outcome.host),
        peak_memory_mb=(result.peak_memory_mb if result else None),
        seconds=(dict(result.seconds) if result else None),
    )  # fmt: skip


def tries_made(reasons: Iterable[str | None]) -> int:
    """Return how many of a unit's attempts count as tries, from the reasons why they did not succeed.

    What a person took back does not count, nor what could not write, the first `FREE_TRIES` times.
    """
    counts = Counter(reasons)
    return counts.total() - counts[Reason.CANCELLED] - min(counts[Reason.STORAGE_UNAVAILABLE], FREE_TRIES)


def _tries_again(context: Context, attempt: Mapping[str, Any], outcome: Outcome) -> bool:
    earlier = attempt["earlier_reasons"]
    tries = tries_made([*earlier, outcome.reason])
    return outcome.error_class in (ErrorClass.RETRY, ErrorClass.RESOURCES) and (
        tries == tries_made(earlier) or tries < context.survey.exposure.attempts
    )


def _say_retried(context: Context, attempt: Mapping[str, Any], outcome: Outcome) -> None:
    context.ledger.event(
        EventLevel.WARNING, "attempt_failed",
        f"Attempt {attempt['attempt']} failed and is made again: {outcome.reason}. {outcome.detail}"[:1000],
        subject=attempt["unit_key"], night_time=context.clock.now(), reason=outcome.reason,
    )  # fmt: skip


def _say_failed(context: Context, attempt: Mapping[str, Any], outcome: Outcome) -> None:
    context.ledger.event(
        EventLevel.ERROR, "unit_failed",
        f"Attempt {attempt['attempt']} failed and is the last: {outcome.reason}. {outcome.detail}"[:1000],
        subject=attempt["unit_key"], night_time=context.clock.now(), reason=outcome.reason,
    )  # fmt: skip


# --- products -----------------------------------------------------------------------------------------------


def _keep_products(
    context: Context,
    subject: Subject,
    attempt: Mapping[str, Any],
    job: JobFile,
    work: UnitWork,
    outcome: Outcome,
) -> dict[str, str]:
    """Verify and place what an attempt made, and return the keys of its products by kind."""
    if outcome.result is None or outcome.state is AttemptState.FAILED:
        return {}
    home, night = _home(context, subject, work)
    # all of them first: where one is not what the result says, the attempt failed and has no row of the others
    placed = [(product, _place(Path(work.folder), home, product)) for product in outcome.result.products]
    keys = {}
    for product, target in placed:
        keys[product.kind] = f"{work.unit_key}/{product.kind}"
        context.ledger.run(
            "workflow", "put_product",
            product_key=keys[product.kind], kind=product.kind, unit_key=work.unit_key, campaign=subject.campaign,
            site=context.survey.site.name, night=night, path=context.depot.relative(target),
            sha256=product.sha256, bytes=product.bytes, code_version=nightshift.__version__,
            settings_hash=job.settings_hash, job_key=job.job_key, attempt=attempt["attempt"],
        )  # fmt: skip
        context.ledger.run("workflow", "delete_product_inputs", product_key=keys[product.kind])
        inputs = product.inputs or work.inputs
        context.ledger.run(
            "workflow", "put_product_inputs",
            product_key=keys[product.kind],
            inputs={"rows": [{"role": i.role, "input_key": i.key, "sha256": i.sha256} for i in inputs]},
        )  # fmt: skip
    return keys


def _home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder where a unit's products live, and the night that they count to."""
    if subject.kind is JobKind.MASTER:
        calibration = _calibration_key(subject, work)
        return context.depot.calibration(calibration), calibration.night
    if subject.kind is JobKind.MOVING_OBJECTS:
        return context.depot.root / "processed" / f"{subject.night:%Y/%m%d}" / subject.job_key, subject.night
    night = context.ledger.value("workflow", "night_of_job", job_key=subject.job_key)
    if subject.kind is JobKind.REFERENCE:
        return context.depot.reference(_reference_key(work)), night
    return context.depot.processed(night, UnitKey.parse(work.unit_key)), night


def _place(folder: Path, home: Path, product: Product) -> Path:
    """Move one file to its place after its checksum was verified; where it is there already, that is as good."""
    if Path(product.name).name != product.name or product.name in (".", ".."):
        raise Retry(Reason.RESULT_INVALID, f"product {product.name!r} is not a plain file name")
    source, target = folder / product.name, home / product.name
    if not source.exists() and target.exists():
        source = target
    try:
        found = (sha256_of(source), source.stat().st_size)
    except FileNotFoundError as error:
        raise Retry(Reason.RESULT_INVALID, f"product {product.name} of the result is not there: {error}") from error
    except OSError as error:
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"{source} does not read: {error}") from error
    if found != (product.sha256, product.bytes):
        raise Retry(Reason.RESULT_INVALID, f"product {product.name} is not what its result says: {found}")
    if source != target:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise Retry(Reason.STORAGE_UNAVAILABLE, f"{source} cannot be moved to {home}: {error}") from error
    return target


# --- masters ------------------------------------------------------------------------------------------------


def record_master(context: Context, ending: Ending) -> None:
    """Write the master and what was made of each of its frames. A failure ends the version too, with its reason."""
    key, outcome, metrics = _calibration_key(ending.subject, ending.work), ending.outcome, ending.metrics
    in_service = ending.succeeded and key.kind.value in ending.products
    valid_from, _ = night_bounds(context.survey.site, key.night)
    reason = None if in_service else outcome.reason or Reason.RESULT_INVALID
    context.ledger.run(
        "workflow", "put_calibration",
        kind=key.kind, instrument=key.instrument, detector=key.detector, quadrant=key.quadrant, filter=key.filter,
        night=key.night, epoch=key.epoch, version=key.version, calibration_key=str(key),
        state=CalibrationState.IN_SERVICE if in_service else CalibrationState.REJECTED,
        reason=reason, detail=outcome.detail[:2000],
        product_key=ending.products.get(key.kind.value), frames=metrics.get("frames") or 0,
        level=metrics.get("level"), noise=metrics.get("noise"), read_noise=metrics.get("read_noise"),
        gain=metrics.get("gain"), gain_error=metrics.get("gain_error"), valid_from=valid_from,
    )  # fmt: skip
    if in_service:
        _say_what_disagrees(context, ending, key)
    context.ledger.run(
        "workflow", "put_calibration_frames",
        calibration_key=str(key), frames={"rows": _judged_frames(ending, reason)},
    )  # fmt: skip
    if in_service:
        context.ledger.run(
            "workflow", "release_held",
            instrument=key.instrument, night=key.night, filter=key.filter, detector=key.detector,
            quadrant=key.quadrant,
        )  # fmt: skip
        context.ledger.run("workflow", "reopen_exposures", instrument=key.instrument, night=key.night)
    else:
        context.ledger.event(
            EventLevel.WARNING, "master_rejected", f"No master: {reason}. {outcome.detail}"[:1000],
            subject=key, night_time=context.clock.now(), reason=reason,
        )  # fmt: skip


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
    )  # fmt: skip


# --- science and differences --------------------------------------------------------------------------------


def record_science(context: Context, ending: Ending) -> None:
    """Write a reduced quadrant: its state, its measurements, and its difference where one was made."""
    outcome, unit = ending.outcome, UnitKey.parse(ending.work.unit_key)
    states = {AttemptState.SUCCEEDED: UnitState.PROCESSED, AttemptState.REJECTED: UnitState.REJECTED}
    state = states.get(outcome.state, UnitState.FAILED)
    flags = [*ending.work.parameters.get("flags", []), *(outcome.result.flags if outcome.result else ())]
    changed = context.ledger.run(
        "workflow", "end_unit",
        unit_key=str(unit), state=state, detail=outcome.detail[:2000], flags=sorted({str(flag) for flag in flags}),
        reason=None if state is UnitState.PROCESSED else outcome.reason or Reason.RESULT_INVALID,
    )  # fmt: skip
    if not changed:
        return  # the night ended without it: the attempt keeps the result, the unit stays as it was declared
    if any(name in ending.metrics for name in IMAGE_QUALITY):
        _put_image_quality(context, unit, ending.metrics, good=state is UnitState.PROCESSED)
    if state is UnitState.PROCESSED and ending.metrics.get("difference") and ending.work.parameters["reference_key"]:
        _put_difference(context, ending)


def _put_image_quality(context: Context, unit: UnitKey, metrics: dict[str, Any], *, good: bool) -> None:
    context.ledger.run(
        "workflow", "put_image_quality",
        unit_key=str(unit), instrument=unit.instrument, exposure_id=unit.exposure_id, detector=unit.detector,
        quadrant=unit.quadrant, good=bool(metrics.get("good", good)),
        warnings=[str(warning) for warning in metrics.get("warnings", [])],
        **{name: _flat(metrics.get(name)) for name in IMAGE_QUALITY},
    )  # fmt: skip


def _flat(value: Any) -> Any:
    """Return corners as one list of numbers, and anything else as it is."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [number for pair in value for number in pair]
    return value


def record_difference(context: Context, ending: Ending) -> None:
    """Write the difference of a quadrant that was reduced before its reference came."""
    _put_difference(context, ending)


def _put_difference(context: Context, ending: Ending) -> None:
    """Write a difference with its candidates, numbered and identified by the survey's rule."""
    unit, parameters, metrics = ending.work.unit_key, ending.work.parameters, ending.metrics.get("difference") or {}
    candidates = ending.rows("candidates")
    state, reason = _difference_state(ending, metrics, len(candidates))
    written = context.ledger.row(
        "workflow", "put_difference",
        unit_key=unit, reference_key=parameters["reference_key"], campaign=ending.subject.campaign, state=state,
        reason=reason, detail=str(metrics.get("detail") or ending.outcome.detail)[:2000],
        product_key=ending.products.get("difference"), candidates=len(candidates),
        noise_ratio=metrics.get("noise_ratio"), limiting_magnitude=metrics.get("limiting_magnitude"),
        quality=dict(metrics.get("quality") or {}),
    )  # fmt: skip
    if written and state is UnitState.PROCESSED and candidates:
        _put_candidates(context, ending, candidates)


def _difference_state(
    ending: Ending, metrics: dict[str, Any], candidates: int
) -> tuple[UnitState, Reason | str | None]:
    if candidates > MOST_CANDIDATES:
        return UnitState.REJECTED, Reason.TOO_MANY_CANDIDATES
    if ending.outcome.state is AttemptState.REJECTED:
        return UnitState.REJECTED, ending.outcome.reason or Reason.DIFFERENCE_FAILED
    if not ending.succeeded:
        return UnitState.FAILED, ending.outcome.reason or Reason.DIFFERENCE_FAILED
    state = UnitState(metrics.get("state", UnitState.PROCESSED))
    return state, None if state is UnitState.PROCESSED else metrics.get("reason") or Reason.DIFFERENCE_FAILED


def _put_candidates(context: Context, ending: Ending, candidates: list[dict[str, Any]]) -> None:
    parameters, campaign = ending.work.parameters, ending.subject.campaign
    camera, shutter_open = context.survey.camera, _time(parameters["shutter_open"])
    processing = processing_id(
        shutter_open,
        readout_channel(camera, parameters["detector"], parameters["quadrant"]),
        campaign_number=context.ledger.value("workflow", "campaign_number", campaign=campaign),
    )
    night = context.ledger.value("workflow", "night_of_job", job_key=ending.subject.job_key)
    rows = [
        {**row, "candid": candidate_id(processing, row["number"], positive=row["positive"])} for row in candidates
    ]
    context.ledger.run(
        "workflow", "put_candidates",
        shutter_open=shutter_open, unit_key=ending.work.unit_key, campaign=campaign,
        reference_key=parameters["reference_key"], processing_id=processing, site=context.survey.site.name,
        night=night, field=parameters["field"], filter=parameters["filter"], candidates={"rows": rows},
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- references ---------------------------------------------------------------------------------------------


def record_reference(context: Context, ending: Ending) -> None:
    """Write a version of a reference. A field's first serves by the survey's policy; later ones wait for approval."""
    key, outcome, metrics = _reference_key(ending.work), ending.outcome, ending.metrics
    built = ending.succeeded and "reference" in ending.products
    asked = context.ledger.row("workflow", "conf_of_subject", subject=ending.subject.job_key) or {"conf": {}}
    conf = asked["conf"]
    state, valid_from = ReferenceState.REJECTED, None
    if built:
        state, valid_from = _reference_state(context, ending, key, conf.get("serves"))
    context.ledger.run(
        "workflow", "put_reference",
        field=key.field, instrument=key.instrument, detector=key.detector, quadrant=key.quadrant, filter=key.filter,
        version=key.version, reference_key=str(key), state=state,
        reason=None if built else outcome.reason or Reason.RESULT_INVALID, detail=outcome.detail[:2000],
        product_key=ending.products.get("reference"), frames=metrics.get("frames") or 0,
        fwhm_px=metrics.get("fwhm_px"), zero_point=metrics.get("zero_point"),
        limiting_magnitude=metrics.get("limiting_magnitude"), valid_from=valid_from,
        requested_by=conf.get("requested_by", "nightshift"),
        request_reason=conf.get("request_reason", ""),
    )  # fmt: skip
    if not built:
        return
    weights = {row["unit_key"]: row["weight"] for row in metrics.get("members", [])}
    planned = [member["unit_key"] for member in ending.work.parameters["members"]]
    members = [
        {"unit_key": unit_key, "position": position, "weight": weights[unit_key] if weights else 1.0}
        for position, unit_key in enumerate(planned, start=1)
        if not weights or unit_key in weights
    ]
    context.ledger.run(
        "workflow", "put_reference_members", reference_key=str(key), members={"rows": members}
    )  # fmt: skip


def _reference_state(
    context: Context, ending: Ending, key: ReferenceKey, serves: str | None
) -> tuple[ReferenceState, datetime | None]:
    """Return how a version begins its life, and the shutter time from which it serves.

    A field's first serves by the survey's policy: from the night of its frames, or from the next. A later one
    serves as the person wanted who asked for it (``now``, ``next_night``), and else waits for approval.
    """
    site = context.survey.site
    if key.version == 1 and serves is None:
        night = context.ledger.value("workflow", "night_of_job", job_key=ending.subject.job_key)
        begins, ends = night_bounds(site, night)
        return ReferenceState.IN_SERVICE, begins if context.survey.reference.first_serves == "now" else ends
    now = context.clock.now()
    if serves == "now":
        return ReferenceState.IN_SERVICE, now
    if serves == "next_night":
        return ReferenceState.IN_SERVICE, night_bounds(site, night_of(site, now))[1]
    return ReferenceState.BUILT, None


def _reference_key(work: UnitWork) -> ReferenceKey:
    _, field, instrument, detector, quadrant, filter_name, version = work.unit_key.split("/")
    return ReferenceKey(int(field), instrument, int(detector[1:]), int(quadrant[1:]), filter_name, int(version[1:]))


# --- moving objects -----------------------------------------------------------------------------------------


def record_moving_objects(context: Context, ending: Ending) -> None:
    """Write the night's tracklets in place of those that a run before may have left."""
    of_night = {
        "site": ending.subject["site"],
        "night": ending.subject.night,
        "campaign": ending.subject.campaign,
    }
    if not ending.succeeded:
        return
    context.ledger.run("workflow", "delete_tracklets", **of_night)
    for row in ending.rows("tracklets"):
        key = f"{ending.work.unit_key}/t{row['number']:05d}"
        members = [
            {"candid": member["candid"], "position": position, "residual_arcsec": member.get("residual_arcsec")}
            for position, member in enumerate(row["members"], start=1)
        ]
        context.ledger.run(
            "workflow", "put_tracklet",
            **of_night, number=row["number"], tracklet_key=key, detections=len(members),
            begins=_from_mjd(row["begins_mjd"]), ends=_from_mjd(row["ends_mjd"]), ra_deg=row["ra_deg"],
            dec_deg=row["dec_deg"], rate_deg_per_day=row["rate_deg_per_day"],
            position_angle_deg=row["position_angle_deg"], residual_arcsec=row["residual_arcsec"],
            magnitude=row.get("magnitude"),
        )  # fmt: skip
        context.ledger.run("workflow", "put_tracklet_members", tracklet_key=key, members={"rows": members})


def _from_mjd(mjd: float) -> datetime:
    return MJD_EPOCH + timedelta(days=mjd)


RECORDERS: dict[JobKind, Callable[[Context, Ending], None]] = {
    JobKind.MASTER: record_master,
    JobKind.SCIENCE: record_science,
    JobKind.REFERENCE: record_reference,
    JobKind.DIFFERENCE: record_difference,
    JobKind.MOVING_OBJECTS: record_moving_objects,
}
