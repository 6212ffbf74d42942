"""The last steps of a night: begin to close, wait for what is under way, close, and notice where nobody did."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from nightshift.archive.night_archive import not_archived
from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.kinds import kinds
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries import runs as run_queries
from nightshift.ledger.queries.night_end import Unfinished
from nightshift.night_end.accounts import Accounts, account, read_accounts
from nightshift.night_end.night_rows import night_text, put_night
from nightshift.vocabulary import EventLevel, ImageType, NightState
from nightshift.workflow.due_runs import due_runs
from nightshift.workflow.subjects import NIGHT_DAG, subject_of_run

__all__ = [
    "InFlight",
    "Verdict",
    "awaited",
    "begin_closing",
    "close",
    "fail_stragglers",
    "in_flight",
    "may_close",
    "overdue",
    "verdict",
]

Signal = Literal["manifest", "clock", "operator"]


@dataclass(frozen=True)
class InFlight:
    """Something of the night that is still under way."""

    kind: str  # exposure, unit, attempt, difference, alert
    subject: str
    state: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} is {self.state}"


@dataclass(frozen=True)
class Verdict:
    """Whether the night closes, and why not."""

    accounts: Accounts
    archive_faults: tuple[str, ...]

    @property
    def closes(self) -> bool:
        """Whether everything is accounted for, archived and verified."""
        return self.accounts.closes and not self.archive_faults

    @property
    def reasons(self) -> list[str]:
        """Return in words what stands against closing."""
        return [*self.accounts.imbalances, *self.archive_faults]


def begin_closing(context: Context, night: date, *, signal: Signal | None = None) -> NightState:
    """Mark that the end-of-night workflow runs, and return the state before.

    A night of which nothing came is known from then on. A night that was closed begins again, for late data may
    have come. A night that is closing already keeps the moment at which it began, so that a second call does not
    prolong its grace.
    """
    before = put_night(context, night).state
    night_end_queries.begin_closing(context.ledger, site=context.site.name, night=night, signal=signal)
    return before


def in_flight(context: Context, night: date) -> list[InFlight]:
    """Return everything that will go on by itself: exposures, units, runs, attempts, unsent alerts."""
    ledger, site, surveys = context.ledger, context.site.name, context.deployment.surveys
    waited_for = {ImageType.SCIENCE, *(kind for survey in surveys for kind in survey.calibration.kinds)}
    image_types = sorted(map(str, waited_for))
    asked = (
        ("exposure", night_end_queries.exposures_in_flight(ledger, site=site, night=night, kinds=image_types)),
        ("unit", night_end_queries.units_in_flight(ledger, site=site, night=night)),
        ("run", _runs_in_flight(context, night)),
        ("attempt", night_end_queries.attempts_in_flight(ledger, site=site, night=night)),
        ("difference", night_end_queries.releases_in_flight(ledger, site=site, night=night)),
        ("alert", night_end_queries.outbox_in_flight(ledger, site=site, night=night)),
    )
    found = (InFlight(kind, row.subject, row.state) for kind, rows in asked for row in rows)
    holding = {kind.workflow for kind in kinds() if kind.holds_night}
    due = (run for run in due_runs(context) if run.dag_id in holding)
    return [*found, *(InFlight("run", run.run_id, "due") for run in due)]


def _runs_in_flight(context: Context, night: date) -> list[Unfinished]:
    """Return the runs that were asked for, of kinds of work that the night waits for."""
    policies = [survey.exposure for survey in context.deployment.surveys]
    return night_end_queries.runs_in_flight(
        context.ledger,
        site=context.site.name,
        night=night,
        stale_s=max(policy.soft_deadline_s + policy.hard_deadline_s for policy in policies),
        workflows=[workflow for kind in kinds() if not kind.asked_at_closing for workflow in kind.workflows],
        instruments=list(context.deployment.instruments),
    )


def awaited(context: Context, night: date) -> list[str]:
    """Return the names on the night's manifest of which nothing came yet, good or bad."""
    rows = night_end_queries.names_awaited(context.ledger, site=context.site.name, night=night)
    return [row.file_name for row in rows]


def may_close(context: Context, night: date) -> tuple[bool, str]:
    """Say whether the wait at the end of a night is over, and why.

    Three rules, in real seconds since `begin_closing`: after ``night.hard_deadline_s`` nothing is waited for;
    before it, whatever is under way is; and files that are on the manifest and not here, or a manifest that is
    not here, are waited for during ``night.grace_s``.

    Returns
    -------
    bool, str
        The second is for the log and the page.
    """
    site, policy = context.site.name, context.night_policy
    waited = night_end_queries.seconds_closing(context.ledger, site=site, night=night) or 0.0
    flying = in_flight(context, night)
    if waited >= policy.hard_deadline_s:
        return True, f"the deadline of {policy.hard_deadline_s:.0f} s has passed; {len(flying)} things are unfinished"
    if flying:
        return False, f"{len(flying)} things are under way, the first: {flying[0]}"
    absent = awaited(context, night)
    has_manifest = bool(night_end_queries.manifests(context.ledger, site=site, night=night))
    if (absent or not has_manifest) and waited < policy.grace_s:
        what = f"{len(absent)} files on the manifest" if has_manifest else "the manifest"
        return False, f"late data are taken in for {policy.grace_s - waited:.0f} s more: {what} did not come yet"
    return True, "nothing is under way"


def fail_stragglers(context: Context, night: date) -> int:
    """Declare failed what still runs when the night's hard deadline has passed, and return how many units.

    Exposures of which nothing is waited for any more have ended. A result that comes after this is kept in its
    attempt and changes the unit no more.
    """
    # what was only to be made better is as good as it was
    reducing = [kind.name for kind in kinds() if kind.real_time]
    exposure_queries.stand_as_before(
        context.ledger, kinds=reducing, unit_key=None, site=context.site.name, night=night
    )
    count = night_end_queries.fail_stragglers(context.ledger, site=context.site.name, night=night, campaign=LIVE)
    exposure_queries.end_exposures_of_night(context.ledger, site=context.site.name, night=night)
    if count:
        context.ledger.event(
            EventLevel.ERROR, "stragglers_failed",
            f"{count} units had not ended {context.night_policy.hard_deadline_s:.0f} s after the night began to "
            "close; they are declared failed. See whether the runner still works.",
            subject=night_text(context.site, night), night_time=context.clock.now(),
        )  # fmt: skip
    return count


def verdict(context: Context, night: date) -> Verdict:
    """Say whether the night closes as it stands, and change nothing."""
    lost = not_archived(context, night)
    archived = archive_queries.archived(context.ledger, site=context.site.name, night=night)
    unread = [file.path for file in archived if file.verified_at is None]
    faults = []
    if lost:
        faults.append(f"archive: {len(lost)} files are not in it (first: {lost[0].path})")
    if unread:
        faults.append(f"archive: {len(unread)} files were not read back and found equal (first: {unread[0]})")
    return Verdict(read_accounts(context, night), tuple(faults))


def close(context: Context, night: date) -> NightState:
    """Account once more and close the night, or say that it does not balance. May run again.

    Returns
    -------
    NightState
        CLOSED where every identity closes and the archive was read back; UNBALANCED where not.
    """
    night_end_queries.count_from_now(context.ledger, site=context.site.name, night=night)
    account(context, night)
    of_night = {"site": context.site.name, "night": night.isoformat()}
    run_queries.end_runs(context.ledger, subject=subject_of_run(NIGHT_DAG, of_night))
    outcome = verdict(context, night)
    state = NightState.CLOSED if outcome.closes else NightState.UNBALANCED
    with context.ledger.transaction() as ledger:
        if night_end_queries.set_closed(ledger, site=context.site.name, night=night, state=state):
            _tell(context, night, outcome)
        archive_queries.seal_bag(ledger, site=context.site.name, night=night)
    return state


def _tell(context: Context, night: date, outcome: Verdict) -> None:
    message = (
        f"The night of {night} closed to zero."
        if outcome.closes
        else f"The night of {night} does not close: {'; '.join(outcome.reasons[:5])}."
    )
    context.ledger.event(
        EventLevel.INFO if outcome.closes else EventLevel.PAGE,
        "night_closed" if outcome.closes else "unbalanced", message,
        subject=night_text(context.site, night), night_time=context.clock.now(),
    )  # fmt: skip


def overdue(context: Context) -> list[date]:
    """Return the nights that should have closed and did not, and call a human once for each.

    It is asked by the process that tells people, which has nothing to do with the end-of-night workflow. A night
    is overdue when its noon has passed by the night's clock, nothing has arrived for the hard deadline of the
    night, and its closing, if it began, began longer ago than that.
    """
    rows = night_end_queries.unclosed_nights(
        context.ledger,
        site=context.site.name,
        now=context.clock.now(),
        quiet_s=context.night_policy.hard_deadline_s,
    )
    for row in rows:
        subject = night_text(context.site, row.night)
        if not ledger_queries.event_said(context.ledger, kind="night_overdue", subject=subject):
            began = "its closing began and did not end" if row.closing_since else "nothing began to close it"
            context.ledger.event(
                EventLevel.PAGE, "night_overdue",
                f"The night of {row.night} should have closed by {row.ends:%Y-%m-%d %H:%M} UTC: {began}. "
                "Look at the end_of_night workflow, or close it by hand.",
                subject=subject, night_time=context.clock.now(),
            )  # fmt: skip
    return [row.night for row in rows]
