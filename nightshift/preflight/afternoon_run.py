"""The afternoon's run: the calendar is filled, the plan made, everything checked, written down, said, and shown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import NightshiftError
from nightshift.files import write_whole
from nightshift.ledger.queries import preflight as preflight_queries
from nightshift.night_plan.make_plan import NightPlan, make_plan
from nightshift.night_plan.plan_picture import draw_plan
from nightshift.observing_calendar import fill_where_it_reads
from nightshift.preflight.check import Check, checks
from nightshift.preflight.preflight_page import render_page
from nightshift.preflight.run_checks import OpenContext, Result, run_checks
from nightshift.vocabulary import CheckState, EventLevel

__all__ = ["Preflight", "counted", "preflight", "summary_line"]


@dataclass(frozen=True)
class Preflight:
    """What an afternoon's run found.

    Parameters
    ----------
    night : date
    results : tuple of Result
    plan : NightPlan or None
    page : Path
    """

    night: date
    results: tuple[Result, ...]
    plan: NightPlan | None
    page: Path

    @property
    def is_ready(self) -> bool:
        """Whether nothing is red and nothing unknown."""
        return not {result.finding.state for result in self.results} & {CheckState.RED, CheckState.UNKNOWN}


def preflight(
    context: Context, night: date, open_context: OpenContext, *, these: Sequence[Check] | None = None
) -> Preflight:
    """Check a site's night, write down what was found, say what is red and what is so no more, and write the page.

    Parameters
    ----------
    context : Context
        Of the site.
    night : date
        That begins this evening.
    open_context : callable
        Opens the same context with a connection to the ledger of its own, for each check.
    these : sequence of Check, optional
        By default all of them.
    """
    fill_where_it_reads(context.ledger, context.deployment, context.clock.now())  # where not, its check says so
    plan = _plan(context, night)
    within_s = context.deployment.surveys[0].preflight.check_s
    found = run_checks(checks() if these is None else these, night, plan, open_context, within_s=within_s)
    _record(context, night, found)
    return Preflight(night, tuple(found), plan, _write_page(context, night, found, plan))


def _plan(context: Context, night: date) -> NightPlan | None:
    """Return the night's plan; None where it cannot be made: the checks that need it are unknown then."""
    try:
        return make_plan(context, night)
    except NightshiftError:
        return None


# --- the ledger ---------------------------------------------------------------------------------------------


def _record(context: Context, night: date, results: Sequence[Result]) -> None:
    site, ledger = context.site.name, context.ledger
    with ledger.transaction():
        for result in results:
            finding = result.finding
            preflight_queries.put_check(
                ledger, site=site, night=night, check_name=result.check.name, state=finding.state,
                sentence=finding.sentence, number=finding.number, unit=finding.unit, advice=finding.advice,
                seconds=result.seconds,
            )  # fmt: skip
            _tell(context, result)
        preflight_queries.forget_other_checks(
            ledger, site=site, night=night, check_names=[result.check.name for result in results]
        )


def _tell(context: Context, result: Result) -> None:
    """Say that a check is red, once, and once that it is so no more. An unknown one is neither."""
    site, check, finding = context.site.name, result.check, result.finding
    subject, now = f"{site}/preflight/{check.name}", context.clock.now()
    if finding.state is CheckState.RED:
        if preflight_queries.raise_alarm(context.ledger, site=site, check_name=check.name):
            context.ledger.event(
                EventLevel.PAGE, "preflight_red", f"{check.title}: {finding.sentence}. {finding.advice}"[:1000],
                subject=subject, night_time=now,
            )  # fmt: skip
    elif finding.state is not CheckState.UNKNOWN and preflight_queries.lower_alarm(
        context.ledger, site=site, check_name=check.name
    ):
        context.ledger.event(
            EventLevel.INFO, "preflight_clear", f"{check.title} is {finding.state}: {finding.sentence}"[:1000],
            subject=subject, night_time=now,
        )  # fmt: skip


def summary_line(context: Context, night: date) -> str:
    """Return what the checks of a night's afternoon found, in a line; empty where none ran."""
    rows = preflight_queries.checks_of_night(context.ledger, site=context.site.name, night=night)
    return counted([(row.state, row.check_name) for row in rows])


def counted(found: Sequence[tuple[CheckState, str]]) -> str:
    """Return states and names of checks in a line: how many are of each, and which are not green."""
    counts = Counter(state for state, _ in found)
    parts = []
    for state in (CheckState.RED, CheckState.UNKNOWN, CheckState.YELLOW, CheckState.GREEN):
        if counts[state]:
            names = ", ".join(name for each, name in found if each is state)
            parts.append(f"{counts[state]} {state}" + (f" ({names})" if state is not CheckState.GREEN else ""))
    return "; ".join(parts)


# --- the page -----------------------------------------------------------------------------------------------


def _write_page(context: Context, night: date, results: Sequence[Result], plan: NightPlan | None) -> Path:
    below = f"{context.site.name}/" if context.deployment.has_several_sites else ""
    page = context.depot.report(night, f"{below}preflight.html")
    picture = draw_plan(context, plan) if plan is not None else None
    if picture is not None:
        write_whole(page.parent / f"{picture.name}.png", picture.png)
    text = render_page(
        context, night, results, plan, picture, counted([(r.finding.state, r.check.name) for r in results])
    )
    write_whole(page, text.encode())
    return page
