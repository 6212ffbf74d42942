"""The command ``nightshift preflight``."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.preflight.run_checks import Result

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line's subparsers."""
    from nightshift.night_end.commands import night_of_text

    parser = subparsers.add_parser(
        "preflight",
        help="check whether the night can begin; exit code 1 if something is red or unknown",
        description="Disks, ledger, broker, cluster or pool, mail relay, clock, catalogues, masters, references, "
        "secrets, workflows, backup and settings. What it finds is kept in the ledger and written as a page with the "
        "plan of the night; what is red calls somebody, once. Nothing else is changed.",
    )
    parser.add_argument("--site", help="of which site, where the survey has several")
    parser.add_argument("--night", type=night_of_text, help="the date of its evening; default: the one under way")
    parser.add_argument("--dry-run", action="store_true", help="only check: keep nothing, call nobody, write no page")
    parser.set_defaults(run=_preflight)


def _preflight(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.night_plan.make_plan import make_plan
    from nightshift.nights import night_of
    from nightshift.preflight.afternoon_run import preflight
    from nightshift.preflight.check import checks
    from nightshift.preflight.open_site import site_opener
    from nightshift.preflight.run_checks import run_checks
    from nightshift.vocabulary import CheckState

    with open_context(options.night) as context:
        context = context.of_site(context.deployment.site_named(options.site).name)
        night = options.night or night_of(context.site, context.clock.now())
        opener = site_opener(context.site.name, options.night)
        if options.dry_run:
            within_s = context.deployment.surveys[0].preflight.check_s
            results = run_checks(checks(), night, make_plan(context, night), opener, within_s=within_s)
            page = None
        else:
            done = preflight(context, night, opener)
            results, page = list(done.results), done.page
    _print(results)
    if page is not None:
        print(f"The page: {page}")
    return int(any(r.finding.state in (CheckState.RED, CheckState.UNKNOWN) for r in results))


def _print(results: "list[Result]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nightshift.preflight.check import ORDER

    colours = {"green": "green", "yellow": "yellow", "red": "bold red", "unknown": "bold magenta"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("state", "what", "found"):
        table.add_column(title, overflow="fold")
    for result in sorted(results, key=lambda each: (ORDER.index(each.finding.state), each.check.title)):
        finding = result.finding
        text = Text(finding.sentence)
        if finding.advice:
            text.append(f"\n{finding.advice}", "dim")
        table.add_row(Text(finding.state, colours[finding.state]), Text(result.check.title), text)
    Console().print(table)
