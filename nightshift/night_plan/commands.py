"""The command ``nightshift plan``."""

import argparse
from pathlib import Path

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line's subparsers."""
    from nightshift.night_end.commands import night_of_text

    parser = subparsers.add_parser(
        "plan",
        help="show the plan of a night: what is taken, what runs and when, and what it takes",
        description="Twilights and the Moon, exposures, masters and references, room and time. By a schedule's file, "
        "by the nights before, or by a guess that says so. Changes nothing.",
    )
    parser.add_argument("--site", help="of which site, where the survey has several")
    parser.add_argument("--night", type=night_of_text, help="the date of its evening; default: the one under way")
    parser.add_argument("--schedule", type=Path, help="CSV or ECSV: time (UTC), field, filter, exposure_time (s)")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--picture", type=Path, help="draw it into this file (PNG)")
    parser.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> int:
    import json

    from rich.console import Console

    from nightshift.context import open_context
    from nightshift.files import write_whole
    from nightshift.night_plan.make_plan import make_plan
    from nightshift.night_plan.plan_picture import draw_plan
    from nightshift.night_plan.plan_tables import plan_renderable
    from nightshift.nights import night_of

    with open_context(options.night) as context:
        context = context.of_site(context.deployment.site_named(options.site).name)
        night = options.night or night_of(context.site, context.clock.now())
        plan = make_plan(context, night, options.schedule)
        if options.picture is not None:
            write_whole(options.picture, draw_plan(context, plan).png)
    if options.json:
        print(json.dumps(plan.to_json(), default=str, indent=1))
    else:
        Console().print(plan_renderable(plan))
    return 0
