"""The command ``night-run``."""

import argparse
from datetime import date
from pathlib import Path

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command that plays a night to the parser."""
    night = subparsers.add_parser(
        "night-run",
        help="play a whole night on this machine, from an empty inbox to the morning mail",
        description="Simulates a night (or takes the files of --raw), starts every part, plays the files into the "
        "inbox, shows how the night goes, and stops everything at the end. A night that was interrupted, by a "
        "power cut or a kill, goes on where it was when the same night is asked for again. Exit code 0 only if the "
        "night closed to zero.",
    )
    night.add_argument("--survey", default="demo", help="name of its folder below config (default: %(default)s)")
    night.add_argument("--seed", type=int, default=1, help="of the simulated sky and weather (default: %(default)s)")
    night.add_argument(
        "--raw",
        type=Path,
        help="folder of real raw files to play in place of a simulated night; "
        "of a survey of several instruments with a folder for each, called as the instrument",
    )
    night.add_argument(
        "--night", type=date.fromisoformat, metavar="YYYY-MM-DD",
        help="which night of --raw, by the date of its evening, where the folder holds several",
    )  # fmt: skip
    night.add_argument("--small", action="store_true", help="a short simulated night, as the tests play it")
    night.add_argument(
        "--faults", action="append", default=[], metavar="NAME[:PART]",
        help="let things go wrong in the simulated night: names from docs/faults.md behind commas, or `all`; "
        "of a survey of several instruments INSTRUMENT/NAME",
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


def _night(options: argparse.Namespace) -> int:
    from rehearsal.play.play_night import NightOptions, run_night

    return run_night(
        NightOptions(
            survey=options.survey, seed=options.seed, raw=options.raw, night=options.night, small=options.small,
            keep=options.keep, clear=options.clear, faults=tuple(options.faults), fresh=options.fresh,
            resume=options.resume, deadline_s=60 * options.deadline_min,
        )
    )  # fmt: skip
