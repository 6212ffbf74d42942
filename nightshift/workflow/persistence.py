"""Results into the ledger: attempts and products here, all else by the kind of work; one transaction a unit.

Products move from the attempt's folder to their place in the depot inside that transaction, after their checksums
were verified. A crash between the move and the commit is mended by the next collection, which finds the same bytes
at their place.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nightshift.code_version import code_version
from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.files import sha256_of, sync_folder
from nightshift.housekeeping.deleted_files import said_of_deleted
from nightshift.housekeeping.disk_watch import note_scratch
from nightshift.jobs.contract import JobFile, Product, UnitResult, UnitWork
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import products as product_queries
from nightshift.ledger.queries.jobs import OpenAttempt
from nightshift.vocabulary import AttemptState, ErrorClass, EventLevel, Reason
from nightshift.workflow.subjects import Subject

__all__ = ["Ending", "Outcome", "record", "tries_made"]

FREE_TRIES = 10  # of a unit that could not write: a disk that is away so often is no passing trouble


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
    attempt: OpenAttempt
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
    attempt: OpenAttempt,
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
    work = next(unit for unit in job.units if unit.token == attempt.token)
    with context.ledger.transaction():
        if job_queries.lock_attempt(context.ledger, job_key=job.job_key, token=attempt.token) is None:
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
        outcome = _as_it_stands(context, work, outcome)
        _end_attempt(context, attempt, outcome)
        _say_other_code(context, job, outcome)
        if _tries_again(context, attempt, outcome):
            _say_retried(context, attempt, outcome)
            exposure_queries.return_unit(context.ledger, unit_key=attempt.unit_key)
            return "retried", outcome
        subject.kind.record(context, Ending(subject, attempt, job, work, outcome, products))
        if outcome.state in (AttemptState.FAILED, AttemptState.LOST):
            _say_failed(context, attempt, outcome)
            return "failed", outcome
        return outcome.state.value, outcome


# --- attempts -----------------------------------------------------------------------------------------------


def _as_it_stands(context: Context, work: UnitWork, outcome: Outcome) -> Outcome:
    """Return the outcome of an attempt, to be planned anew where an input was lost only because it was made anew.

    One that left the depot by retention is no loss: the text says how it is brought back.
    """
    keys, checksums = [i.key for i in work.inputs], [i.sha256 for i in work.inputs]
    if outcome.reason is not Reason.INPUT_LOST or not product_queries.inputs_changed(
        context.ledger, keys=keys, checksums=checksums
    ):
        return _as_retention_says(context, work, outcome)
    return replace(outcome, error_class=ErrorClass.RETRY)


def _as_retention_says(context: Context, work: UnitWork, outcome: Outcome) -> Outcome:
    """Return the outcome of an attempt that lost an input, with what is known of a deletion on purpose."""
    if outcome.reason is not Reason.INPUT_LOST:
        return outcome
    said = said_of_deleted(context, [Path(item.path) for item in work.inputs])
    return replace(outcome, reason=Reason.LEFT_BY_RETENTION, detail=said) if said else outcome


def _end_attempt(context: Context, attempt: OpenAttempt, outcome: Outcome) -> None:
    result = outcome.result
    job_queries.end_attempt(
        context.ledger,
        job_key=attempt.job_key, token=attempt.token, state=outcome.state, reason=outcome.reason,
        error_class=outcome.error_class, detail=outcome.detail[:2000], restart_count=outcome.restarts,
        host=(result.host if result else outcome.host),
        peak_memory_mb=(result.peak_memory_mb if result else None),
        seconds=(dict(result.seconds) if result else None),
    )  # fmt: skip
    if result:
        note_scratch(context, result.host, result.scratch)


def tries_made(reasons: Iterable[str | None]) -> int:
    """Return how many of a unit's attempts count as tries, from the reasons why they did not succeed.

    What a person took back does not count, nor what could not write, the first `FREE_TRIES` times.
    """
    counts = Counter(reasons)
    return counts.total() - counts[Reason.CANCELLED] - min(counts[Reason.STORAGE_UNAVAILABLE], FREE_TRIES)


def _tries_again(context: Context, attempt: OpenAttempt, outcome: Outcome) -> bool:
    earlier = attempt.earlier_reasons
    tries = tries_made([*earlier, outcome.reason])
    return outcome.error_class in (ErrorClass.RETRY, ErrorClass.RESOURCES) and (
        tries == tries_made(earlier) or tries < context.survey.exposure.attempts
    )


def _say_other_code(context: Context, job: JobFile, outcome: Outcome) -> None:
    """Say once that nodes run other code than the job files were written by."""
    node = outcome.result.code_version if outcome.result else ""
    if not node or not job.code_version or node == job.code_version:
        return
    kind, subject = "node_code_differs", f"{job.code_version} {node}"
    if not ledger_queries.event_said(context.ledger, kind=kind, subject=subject):
        context.ledger.event(
            EventLevel.WARNING, kind,
            f"Jobs written by code {job.code_version} are worked on by code {node} (first seen on "
            f"{outcome.host or 'a node'}). The results are taken and each says which code made it; to have one code "
            "everywhere, bring the nodes' installation to the same commit.",
            subject=subject, night_time=context.clock.now(),
        )  # fmt: skip


def _say_retried(context: Context, attempt: OpenAttempt, outcome: Outcome) -> None:
    context.ledger.event(
        EventLevel.WARNING, "attempt_failed",
        f"Attempt {attempt.attempt} failed and is made again: {outcome.reason}. {outcome.detail}"[:1000],
        subject=attempt.unit_key, night_time=context.clock.now(), reason=outcome.reason,
    )  # fmt: skip


def _say_failed(context: Context, attempt: OpenAttempt, outcome: Outcome) -> None:
    context.ledger.event(
        EventLevel.ERROR, "unit_failed",
        f"Attempt {attempt.attempt} failed and is the last: {outcome.reason}. {outcome.detail}"[:1000],
        subject=attempt.unit_key, night_time=context.clock.now(), reason=outcome.reason,
    )  # fmt: skip


# --- products -----------------------------------------------------------------------------------------------


def _keep_products(
    context: Context,
    subject: Subject,
    attempt: OpenAttempt,
    job: JobFile,
    work: UnitWork,
    outcome: Outcome,
) -> dict[str, str]:
    """Verify and place what an attempt made and is waited for, and return the keys of its products by kind."""
    if outcome.result is None or outcome.state is AttemptState.FAILED or not subject.kind.awaits(context, work):
        return {}
    home, night = subject.kind.home(context, subject, work)
    # all of them first: where one is not what the result says, the attempt failed and has no row of the others
    placed = [(product, _place(Path(work.folder), home, product)) for product in outcome.result.products]
    keys = {}
    for product, target in placed:
        keys[product.kind] = f"{work.unit_key}/{product.kind}"
        product_queries.put_product(
            context.ledger,
            product_key=keys[product.kind], kind=product.kind, unit_key=work.unit_key, campaign=subject.campaign,
            site=context.site.name, night=night, path=context.depot.relative(target),
            sha256=product.sha256, bytes=product.bytes, code_version=outcome.result.code_version or code_version(),
            settings_hash=job.settings_hash, job_key=job.job_key, attempt=attempt.attempt,
        )  # fmt: skip
        of_product = {"product_key": keys[product.kind], "job_key": job.job_key}
        product_queries.delete_product_inputs(context.ledger, **of_product, night=night)
        inputs = product.inputs or work.inputs
        product_queries.put_product_inputs(
            context.ledger, **of_product, night=night,
            inputs={"rows": [{"role": i.role, "input_key": i.key, "sha256": i.sha256} for i in inputs]},
        )  # fmt: skip
    return keys


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
