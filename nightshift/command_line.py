"""The command ``nightshift``: each package brings its own subcommands in its ``commands.py``."""

import argparse
import importlib.util
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from nightshift import __version__
from nightshift.code_version import code_version
from nightshift.errors import NightshiftError
from nightshift.settings import SettingsError

__all__ = ["build_parser", "main"]

# Each `nightshift.<package>.commands` has `register(subparsers)`, which adds parsers with `set_defaults(run=...)`;
# `run(arguments)` returns the exit code, or None for 0. What is heavy is imported inside `run`.
PACKAGES = (
    "stack",
    "ingest",
    "workflow",
    "alerts",
    "archive",
    "night_end",
    "observing_calendar",
    "night_plan",
    "preflight",
    "messages",
    "metrics",
    "housekeeping",
    "coverage",
    "pins",
    "inspect",
    "fingerprint",
    "ledger",
    "backup",
    "catalogue",
    "new_camera",
)
# What does not belong to the operator brings its commands by this entry point: a module with the same `register`.
ENTRY_POINTS = "nightshift.commands"
WRONG_USE = 2
OF_THE_CALLER = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)
DEFECT = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with the subcommands of all packages that are there."""
    parser = argparse.ArgumentParser(
        prog="nightshift",
        description="The virtual pipeline operator of a time-domain sky survey.",
        epilog="`nightshift <command> --help` says more. Settings: config/<survey>/ and NIGHTSHIFT_* variables.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and the commit, and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for package in PACKAGES:
        _register(package, subparsers)
    for entry_point in sorted(entry_points(group=ENTRY_POINTS)):
        entry_point.load().register(subparsers)
    return parser


class _Version(argparse.Action):
    """Prints the version; the commit is looked for only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **named: Any):
        super().__init__(option_strings, dest, nargs=0, **named)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"nightshift {__version__} ({code_version()})")
        parser.exit()


def _register(package: str, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add a package's commands without importing the package itself, which may be heavy."""
    path = Path(__file__).parent / package / "commands.py"
    spec = importlib.util.spec_from_file_location(f"nightshift.{package}.commands", path)
    if not path.exists() or spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.register(subparsers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a failure is said in one line."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    chosen = build_parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen) or 0)
    except (NightshiftError, SettingsError) as error:
        return _said(error, WRONG_USE)
    except OF_THE_CALLER as error:
        return _said(_path_and_why(error), WRONG_USE)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return WRONG_USE
    except Exception as error:  # noqa: BLE001 - the user's boundary: a defect is said in one line, not as a traceback
        return _said(f"a defect, please report it: {type(error).__name__}: {error}", DEFECT)


def _path_and_why(error: OSError) -> str:
    """Return what a path that cannot be read or written is refused for."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _said(error: object, code: int) -> int:
    if os.environ.get("NIGHTSHIFT_TRACEBACK"):
        traceback.print_exc()
    print(f"nightshift: {error}", file=sys.stderr)
    if code == DEFECT and not os.environ.get("NIGHTSHIFT_TRACEBACK"):
        print("(NIGHTSHIFT_TRACEBACK=1 shows where)", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
