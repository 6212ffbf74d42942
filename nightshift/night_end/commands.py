"""The commands ``account``, ``verify``, ``report``, ``mail``, ``close``, ``night`` and ``ledger``."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.context import Context

from nightshift.ledger.commands import add_month_actions

__all__ = ["night_of_text", "opened_site", "register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the end of night's commands to the command line's subparsers."""
    _add(subparsers, "account", _account, "account for a night and print its sums; exit code 1 if one does not close")
    _add(subparsers, "verify", _verify, "read a night's archive back; exit code 1 if a file is not what it was")
    _add(subparsers, "report", _report, "write a night's report and say where it is")
    mail = _add(subparsers, "mail", _mail, "write a night's report and send it, once")
    mail.add_argument("--resend", action="store_true", help="send it again, as a correction")
    _add(subparsers, "close", _close, "close a night by hand; exit code 1 if it does not balance")
    _add(subparsers, "night", _night, "print how a night stands; exit code 1 if it does not close")
    ledger = subparsers.add_parser("ledger", help="keep the ledger from growing without end")
    actions = ledger.add_subparsers(title="actions", metavar="<action>", required=True)
    prune = actions.add_parser(
        "prune-events",
        help="move events of long ago out of the ledger into the archive",
        description="Writes them into a file in the archive of the last closed night, with its checksum, reads it "
        "back, and removes them from the ledger. What people did (the audit) is never removed.",
    )
    prune.add_argument(
        "--older-than", type=int, metavar="DAYS", help="default: storage.keep_events_days of the survey's policy.toml"
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would be moved, and change nothing")
    prune.add_argument("--operator", help="who you are; needed unless it is a dry run")
    prune.add_argument("--site", help="into whose archive, where the survey has several sites")
    prune.set_defaults(run=_prune_events, night=None)
    add_month_actions(actions)


def _add(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("night", type=night_of_text, help="the date of its evening, as 20260131 or 2026-01-31")
    parser.add_argument("--site", help="whose night, where the survey has several sites")
    parser.set_defaults(run=run)
    return parser


def night_of_text(text: str) -> date:
    """Return the night that was typed."""
    for form in ("%Y%m%d", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise argparse.ArgumentTypeError(f"{text!r} is no night: write the date of its evening, as 20260131")


@contextmanager
def opened_site(options: argparse.Namespace) -> Iterator["Context"]:
    """Open the context of the site that is meant, with the settings that hold now. Of one site it is that one.

    A night that is meant must be in the ledger.
    """
    from nightshift.context import open_context
    from nightshift.ledger.months import check_is_here

    with open_context() as context:
        site = context.deployment.site_named(options.site)
        if options.night is not None:
            check_is_here(context.ledger, site, options.night)
        yield context.of_site(site.name)


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator["Context"]:
    """The same with the settings of the night that is meant, if one is."""
    with opened_site(options) as context:
        yield context.of_night(options.night)


def _account(options: argparse.Namespace) -> int:
    from nightshift.night_end.accounts import account

    with _opened(options) as context:
        books = account(context, options.night)
    for identity in books.identities:
        print(f"{'=' if identity.closes else '!'} {identity}")
    for line in books.imbalances:
        print(f"  {line}")
    return 0 if books.closes else 1


def _verify(options: argparse.Namespace) -> int:
    from nightshift.archive.night_archive import verify

    with _opened(options) as context:
        found = verify(context, options.night)
    print(f"{found.files} files, {found.bytes / 1e6:.1f} MB read back; {len(found.faults)} faults")
    for fault in found.faults:
        print(f"  {fault.path}: {fault.text}")
    return 0 if found.good else 1


def _report(options: argparse.Namespace) -> int:
    from nightshift.night_end.report import write_report

    with _opened(options) as context:
        written = write_report(context, options.night)
    print(f"{written.headline} {written.page}")
    return 0


def _mail(options: argparse.Namespace) -> int:
    from nightshift.ledger.queries import night_end as night_end_queries
    from nightshift.night_end.report import KIND, send_report

    with _opened(options) as context:
        page = send_report(context, options.night, resend=options.resend)
        row = night_end_queries.report(context.ledger, site=context.site.name, night=options.night, kind=KIND)
    assert row is not None  # it was written
    print(f"Sent at {row.sent_at:%Y-%m-%d %H:%M:%S} UTC as {row.message_id}." if row.sent_at else "Not sent.")
    print(page)
    return 0 if row.sent_at else 1


def _close(options: argparse.Namespace) -> int:
    from nightshift.night_end.close import begin_closing, close
    from nightshift.night_end.night_rows import night_row
    from nightshift.vocabulary import NightState

    with _opened(options) as context:
        night_row(context, options.night)  # a slip of the finger makes no night
        begin_closing(context, options.night, signal="operator")
        state = close(context, options.night)
    print(f"The night of {options.night} is {state}.")
    return 0 if state is NightState.CLOSED else 1


def _night(options: argparse.Namespace) -> int:
    from rich.console import Console

    from nightshift.night_end.close import verdict
    from nightshift.night_end.night_table import night_table

    with _opened(options) as context:
        Console().print(night_table(context, options.night))
        return 0 if verdict(context, options.night).closes else 1


def _prune_events(options: argparse.Namespace) -> int:
    from nightshift.errors import BadInput
    from nightshift.night_end.old_events import old_events, prune_events
    from nightshift.process_owner import process_owner
    from nightshift.vocabulary import Reason

    with _opened(options) as context:
        days = context.storage_policy.keep_events_days if options.older_than is None else options.older_than
        if options.dry_run:
            found = old_events(context, older_than_days=days)
        elif not (options.operator or "").strip():
            raise BadInput(Reason.INTERNAL_ERROR, "say who you are (--operator), or look first (--dry-run)")
        else:
            found = prune_events(context, older_than_days=days, operator=options.operator, account=process_owner())
    span = f", of {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}" if found.first and found.last else ""
    print(f"{found.events} events older than {days} days{' would be moved' if options.dry_run else ''}{span}")
    for path in found.files:
        print(f"  in the archive: {path}")
    if found.kept:
        print(f"  {found.kept}")
    return 0
