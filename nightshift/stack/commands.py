"""The commands ``night-run``, ``up``, ``down``, ``status`` and ``environment``."""

import argparse
from datetime import date
from pathlib import Path

__all__ = ["register"]


def register(subparsers) -> None:
    """Add the stack's commands to the parser."""
    night = subparsers.add_parser(
        "night-run",
        help="play a whole night on this machine, from an empty inbox to the morning mail",
        description="Simulates a night (or takes the files of --raw), starts every part, plays the files into the "
        "inbox, shows how the night goes, and stops everything at the end. A night that was interrupted, by a "
        "power cut or a kill, goes on where it was when the same night is asked for again. Exit code 0 only if the "
        "night closed to zero.",
    )
    _survey(night)
    night.add_argument("--seed", type=int, default=1, help="of the simulated sky and weather (default: %(default)s)")
    night.add_argument("--raw", type=Path, help="folder of real raw files to play in place of a simulated night")
    night.add_argument(
        "--night", type=date.fromisoformat, metavar="YYYY-MM-DD",
        help="which night of --raw, by the date of its evening, where the folder holds several",
    )  # fmt: skip
    night.add_argument("--small", action="store_true", help="a short simulated night, as the tests play it")
    night.add_argument(
        "--faults", action="append", default=[], metavar="NAME[:PART]",
        help="let things go wrong in the simulated night: names from docs/faults.md behind commas, or `all`",
    )  # fmt: skip
    night.add_argument("--keep", action="store_true", help="leave everything running afterwards (`down` ends it)")
    again = night.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the night that is there, however it ended")
    again.add_argument("--fresh", action="store_true", help="begin anew, even where the last one was interrupted")
    night.add_argument("--clear", action="store_true", help="clear a folder even if `up` made it")
    night.add_argument(
        "--deadline-min", type=float, default=45.0, help="give up after so many minutes (default: %(default)g)"
    )
    night.set_defaults(run=_night)

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


def _night(options: argparse.Namespace) -> int:
    from nightshift.stack.night import NightOptions, run_night

    return run_night(
        NightOptions(
            survey=options.survey, seed=options.seed, raw=options.raw, night=options.night, small=options.small,
            keep=options.keep, clear=options.clear, faults=tuple(options.faults), fresh=options.fresh,
            resume=options.resume, deadline_s=60 * options.deadline_min,
        )
    )  # fmt: skip


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
