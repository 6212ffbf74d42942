"""The commands ``up``, ``down``, ``status`` and ``environment``."""

import argparse

__all__ = ["register"]


def register(subparsers) -> None:
    """Add the stack's commands to the parser."""
    up = subparsers.add_parser(
        "up",
        help="start every part and leave it running",
        description="Starts every part on this machine and leaves it running; files may then land in the inbox. "
        "The password of Airflow's page is made once, shown once, and kept readable by you alone.",
    )
    _survey(up)
    up.set_defaults(run=_up)

    down = subparsers.add_parser("down", help="stop what `up` started", description="Ends every part of a survey.")
    _survey(down)
    down.set_defaults(run=_down)

    status = subparsers.add_parser(
        "status", help="say which parts run and how the nights stand", description="Exit code 0 if everything runs."
    )
    _survey(status)
    status.set_defaults(run=_status)

    environment = subparsers.add_parser(
        "environment",
        help="print the settings of what runs, for a shell",
        description="Prints `export` lines, so that other commands find the stack that runs: "
        'eval "$(nightshift environment)".',
    )
    _survey(environment)
    environment.set_defaults(run=_environment)


def _survey(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--survey", default="demo", help="name of its folder below config (default: %(default)s)")


def _up(options: argparse.Namespace) -> int:
    from nightshift.stack.service import up

    return up(options.survey)


def _down(options: argparse.Namespace) -> int:
    from nightshift.stack.service import down

    return down(options.survey)


def _environment(options: argparse.Namespace) -> int:
    from nightshift.stack.service import environment

    return environment(options.survey)


def _status(options: argparse.Namespace) -> int:
    from nightshift.stack.service import status

    return status(options.survey)
