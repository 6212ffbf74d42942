"""The commands ``migrate`` and ``ledger``."""

import argparse
from typing import Any

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the ledger's commands to the command line's subparsers."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring the ledger to the newest schema",
        description="Applies the migrations that the ledger of NIGHTSHIFT_LEDGER lacks. May run again.",
    )
    parser.set_defaults(run=_migrate)
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
    prune.set_defaults(run=_prune_events)


def _migrate(_: argparse.Namespace) -> None:
    from nightshift.ledger import migrate

    migrate()
    print("The ledger has the newest schema.")


def _prune_events(options: argparse.Namespace) -> int:
    from nightshift.errors import BadInput
    from nightshift.night_end.old_events import old_events, prune_events
    from nightshift.vocabulary import Reason
    from nightshift.workflow.commands import account
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        days = workplace.survey.storage.keep_events_days if options.older_than is None else options.older_than
        if options.dry_run:
            found = old_events(workplace, older_than_days=days)
        elif not (options.operator or "").strip():
            raise BadInput(Reason.INTERNAL_ERROR, "say who you are (--operator), or look first (--dry-run)")
        else:
            found = prune_events(workplace, older_than_days=days, operator=options.operator, account=account())
    span = f", of {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}" if found.first and found.last else ""
    print(f"{found.events} events older than {days} days{' would be moved' if options.dry_run else ''}{span}")
    for path in found.files:
        print(f"  in the archive: {path}")
    return 0
