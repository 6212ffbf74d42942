"""The page of the afternoon: what the checks found, and the plan of the night."""

from collections.abc import Sequence
from datetime import date

import jinja2

from nightshift.context import Context
from nightshift.night_end.report_pictures import Picture
from nightshift.night_end.report_sections import plain
from nightshift.night_plan.make_plan import NightPlan
from nightshift.night_plan.plan_tables import plan_sections
from nightshift.preflight.check import ORDER
from nightshift.preflight.run_checks import Result
from nightshift.vocabulary import CheckState

__all__ = ["headline", "render_page"]


def render_page(
    context: Context, night: date, results: Sequence[Result], plan: NightPlan | None, picture: Picture | None,
    summary: str,
) -> str:  # fmt: skip
    """Return the page as HTML; its picture lies beside it."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nightshift.preflight", "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["plain"] = plain
    ordered = sorted(results, key=lambda result: (ORDER.index(result.finding.state), result.check.title))
    return environment.get_template("preflight.html.j2").render(
        survey_title=context.deployment.title, site=context.site.name, night=night, results=ordered,
        headline=headline(results), band=ordered[0].finding.state.value if ordered else "unknown", summary=summary,
        sections=plan_sections(plan) if plan is not None else [], picture=picture, checked_at=context.clock.now(),
    )  # fmt: skip


def headline(results: Sequence[Result]) -> str:
    """Return the first line: whether the night can begin."""
    states = [result.finding.state for result in results]
    if reds := states.count(CheckState.RED):
        return f"{reds} thing{' keeps' if reds == 1 else 's keep'} the night from beginning."
    if states.count(CheckState.UNKNOWN):
        return "Not everything could be checked."
    if yellows := states.count(CheckState.YELLOW):
        return f"The night can begin; {yellows} thing{'' if yellows == 1 else 's'} to look at."
    return "The night can begin."
