"""The command ``nightshift calendar``: detectors out of service, engineering time and downtime."""

import argparse
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.context import Context

__all__ = ["register"]

A_TIME = "2026-03-01T20:00 by the site's clocks, or with an offset (2026-03-01T20:00Z)"
KINDS = ("out_of_service", "engineering", "downtime")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line's subparsers."""
    calendar = subparsers.add_parser(
        "calendar",
        help="say which detectors are out of service, and when it is engineering time or downtime",
        description="What holds is in the ledger: what config/<survey>/calendar.toml holds, and what people enter "
        "here. It takes effect with the next file. Each change is kept with its operator and reason.",
    )
    actions = calendar.add_subparsers(title="actions", metavar="<action>", required=True)
    shown = actions.add_parser("list", help="what holds now and what is to come")
    shown.add_argument("--site", help="of which site, where the survey has several")
    shown.add_argument("--all", action="store_true", help="also what is over")
    shown.set_defaults(run=_list)
    add = actions.add_parser("add", help="enter a span of time; without an end it holds until somebody ends it")
    add.add_argument("kind", choices=KINDS, help="what it is")
    add.add_argument("--site", help="of which site, where the survey has several")
    add.add_argument("--instrument", help="of which instrument; default: the only one, or all of the site")
    add.add_argument("--detector", type=int, help="which detector is out of service; default: the whole instrument")
    add.add_argument("--begins", type=datetime.fromisoformat, help=f"{A_TIME}; default: now")
    add.add_argument("--ends", type=datetime.fromisoformat, help="the first moment after it")
    add.add_argument("--unannounced", action="store_true", help="nobody knew of it beforehand")
    _who_and_why(add)
    add.set_defaults(run=_add)
    end = actions.add_parser("end", help="end what holds, or take back what has not begun")
    end.add_argument("entry", type=int, help="its number, as `calendar list` shows it")
    end.add_argument("--at", type=datetime.fromisoformat, help=f"{A_TIME}; default: now")
    end.add_argument("--site", help="of which site, where the survey has several")
    _who_and_why(end)
    end.set_defaults(run=_end)


def _who_and_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="why; kept with your name")
    parser.add_argument("--operator", help="who you are (default: the account that runs this)")


def _moment(context: "Context", site: str, typed: datetime | None) -> datetime:
    """Return the moment that was typed, by the site's clocks where it has no offset; now where none was."""
    from zoneinfo import ZoneInfo

    from nightshift.errors import BadInput
    from nightshift.settings.calendar_table import moment_at_site
    from nightshift.vocabulary import Reason

    if typed is None:
        return context.clock.now()
    try:
        return moment_at_site(typed, ZoneInfo(context.deployment.site_named(site).time_zone))
    except ValueError as error:
        raise BadInput(Reason.INTERNAL_ERROR, str(error)) from error


def _list(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.ledger.queries import calendar as calendar_queries
    from nightshift.observing_calendar.entries import fill_from_settings, told

    with open_context() as context:
        now = context.clock.now()
        fill_from_settings(context.ledger, context.deployment, now)
        site = context.deployment.site_named(options.site).name
        rows = calendar_queries.entries(context.ledger, site=site, first=None if options.all else now, last=None)
    for row in rows:
        by = f"entered by {row.operator}" if row.operator else "of calendar.toml"
        ended = f"; ended by {row.ended_by}: {row.end_reason}" if row.ended_by else ""
        print(f"{row.entry_id:>4}  {told(row)}; {'' if row.announced else 'not '}announced, {by}{ended}")
    if not rows:
        print(f"Nothing is announced for {site}: everything is in service.")
    return 0


def _add(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.observing_calendar.entries import NewEntry, add_entry, fill_from_settings
    from nightshift.process_owner import process_owner
    from nightshift.vocabulary import CalendarKind

    account = process_owner()
    with open_context() as context:
        fill_from_settings(context.ledger, context.deployment, context.clock.now())
        site = options.site
        if site is None and options.instrument is not None:
            site = context.deployment.survey_of(options.instrument).site.name
        site = context.deployment.site_named(site).name
        begins = _moment(context, site, options.begins)
        ends = None if options.ends is None else _moment(context, site, options.ends)
        new = NewEntry(
            CalendarKind(options.kind), begins, ends, options.reason, site, options.instrument, options.detector,
            not options.unannounced,
        )  # fmt: skip
        entry_id = add_entry(context, new, operator=options.operator or account, account=account)
    print(f"Entered as {entry_id}. It takes effect with the next file; `nightshift calendar end {entry_id}` ends it.")
    return 0


def _end(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.observing_calendar.entries import end_entry, told
    from nightshift.process_owner import process_owner

    account = process_owner()
    with open_context() as context:
        site = context.deployment.site_named(options.site).name
        entry = end_entry(
            context.of_site(site), options.entry, _moment(context, site, options.at),
            operator=options.operator or account, reason=options.reason, account=account,
        )  # fmt: skip
    print(told(entry))
    return 0
