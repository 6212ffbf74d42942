"""The command ``migrate``."""

import argparse
import os
from typing import Any

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the ledger's command to the command line's subparsers."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring the ledger to the newest schema",
        description="Applies the migrations that the ledger of NIGHTSHIFT_LEDGER lacks. May run again. "
        "With NIGHTSHIFT_SURVEY set it notes whose ledger it is; the ledger of another survey is refused.",
    )
    parser.set_defaults(run=_migrate)


def _migrate(_: argparse.Namespace) -> None:
    from nightshift.ledger import migrate
    from nightshift.settings import load_deployment

    name = os.environ.get("NIGHTSHIFT_SURVEY")
    if name:
        deployment = load_deployment(name)
        migrate(survey=deployment.name, sites=deployment.site_names)
    else:
        migrate()
    print("The ledger has the newest schema.")
