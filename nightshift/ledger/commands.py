"""The command ``migrate``, and those of ``ledger`` about months."""

import argparse
import os
from pathlib import Path
from typing import Any

__all__ = ["add_month_actions", "register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the ledger's command to the command line's subparsers."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring the ledger to the newest schema",
        description="Applies the migrations that the ledger of NIGHTSHIFT_LEDGER lacks. May run again. "
        "With NIGHTSHIFT_SURVEY set it notes whose ledger it is; the ledger of another survey is refused.",
    )
    parser.set_defaults(run=_migrate)


def add_month_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``detach`` and ``attach`` to the actions of the command ``ledger``."""
    for name, run, says in (
        ("detach", _detach, "write what the ledger holds of an old month to files and take it out"),
        ("attach", _attach, "bring a month back from its files"),
    ):
        action = actions.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        action.add_argument("month", help="YYYY-MM, or a night (YYYY-MM-DD) of it")
        action.add_argument("--folder", type=Path, required=True, help="where the files are")
        action.add_argument("--dry-run", action="store_true", help="only check and tell what would be done")
        action.add_argument("--operator", help="who you are; needed unless it is a dry run")
        action.set_defaults(run=run)


def _migrate(_: argparse.Namespace) -> None:
    from nightshift.clock import clock_from_environment
    from nightshift.ledger import migrate, open_ledger
    from nightshift.observing_calendar import fill_where_it_reads
    from nightshift.settings import load_deployment

    name = os.environ.get("NIGHTSHIFT_SURVEY")
    if name:
        deployment = load_deployment(name)
        migrate(survey=deployment.name, sites=deployment.site_names)
        with open_ledger() as ledger:
            trouble = fill_where_it_reads(ledger, deployment, clock_from_environment().now())
        if trouble:
            print(trouble)
    else:
        migrate()
    print("The ledger has the newest schema.")


def _detach(options: argparse.Namespace) -> None:
    from nightshift.context import open_context
    from nightshift.ledger.months import detach

    operator = _operator(options)
    with open_context() as context:
        history_days = max(survey.alerts.history_days for survey in context.deployment.surveys)
        files = detach(
            context.ledger, options.month, options.folder, now=context.clock.now(),
            history_days=history_days, operator=operator, dry_run=options.dry_run,
        )  # fmt: skip
    _tell(files, "would leave" if options.dry_run else "left, and were read back")


def _attach(options: argparse.Namespace) -> None:
    from nightshift.ledger import open_ledger
    from nightshift.ledger.months import attach

    operator = _operator(options)
    with open_ledger() as ledger:
        files = attach(ledger, options.month, options.folder, operator=operator, dry_run=options.dry_run)
    _tell(files, "would come back" if options.dry_run else "are in the ledger again")


def _operator(options: argparse.Namespace) -> str:
    from nightshift.errors import BadInput
    from nightshift.vocabulary import Reason

    operator = (options.operator or "").strip()
    if not operator and not options.dry_run:
        raise BadInput(Reason.INTERNAL_ERROR, "say who you are (--operator), or look first (--dry-run)")
    return operator


def _tell(files: Any, what: str) -> None:
    for file in files:
        print(f"{file.rows} rows of {file.table} {what}: {file.file}")
