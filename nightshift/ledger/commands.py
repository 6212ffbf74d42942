"""The command ``migrate``."""

import argparse
from typing import Any

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the ledger's command to the command line's subparsers."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring the ledger to the newest schema",
        description="Applies the migrations that the ledger of NIGHTSHIFT_LEDGER lacks. May run again.",
    )
    parser.set_defaults(run=_migrate)


def _migrate(_: argparse.Namespace) -> None:
    from nightshift.ledger import migrate

    migrate()
    print("The ledger has the newest schema.")
