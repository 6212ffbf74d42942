"""The command ``nightshift camera``."""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.new_camera.propose import Proposal

__all__ = ["register"]

SURVEY_NAME = re.compile(r"[a-z0-9_]+")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``camera`` to the command line's subparsers."""
    parser = subparsers.add_parser("camera", help="draft the settings of a camera that Nightshift has never seen")
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True)
    propose = actions.add_parser(
        "propose",
        help="read a folder of raw files and write a draft of the survey's settings",
        description="Looks at headers and pixels, says what it found and how sure it is, and asks in the files what "
        "it cannot know. The raw files are read, never changed; nothing is overwritten.",
    )
    propose.add_argument(
        "folder", type=Path, help="raw files of a night or several, packed or not, with its subfolders"
    )
    propose.add_argument(
        "--output", type=Path, metavar="FOLDER",
        help="the new survey's folder; its name is the survey's (default: the instrument's name in the folder of "
        "settings, which NIGHTSHIFT_CONFIG may name)",
    )  # fmt: skip
    propose.add_argument(
        "--instrument", metavar="NAME", help="as headers call it, where the folder has files of several"
    )
    propose.set_defaults(run=_propose)


def _propose(options: argparse.Namespace) -> int:
    from nightshift.new_camera.propose import propose
    from nightshift.new_camera.settings_writer import check_new, write_draft
    from nightshift.new_camera.summary import summary_lines

    if options.output is not None:
        _check_name(options.output)
        check_new(options.output)
    with _Progress() as progress:
        proposal = propose(options.folder, progress.say, options.instrument)
    target = options.output or _default_folder(proposal)
    write_draft(proposal.draft, target, f"{len(proposal.found.files)} files of {options.folder.resolve().name}")
    for line in summary_lines(proposal, target, options.folder):
        print(line)
    return 0


def _check_name(folder: Path) -> None:
    from nightshift.ingest.naming import shown
    from nightshift.new_camera.camera_problem import CameraProblem

    if not SURVEY_NAME.fullmatch(folder.resolve().name):
        raise CameraProblem(f"{shown(str(folder))}: the folder's name is the survey's: small letters, digits and `_`")


def _default_folder(proposal: "Proposal") -> Path:
    """Return the folder of settings with the instrument's name."""
    from nightshift.settings.loader import config_folder

    names = (
        str(g.value) for file, _, g in proposal.draft.guesses() if file == "camera.toml" and g.key == "instrument"
    )
    return config_folder() / next(names)


class _Progress:
    """Says on a terminal, in one line that is written anew, what is being done."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr)

    def say(self, what: str) -> None:
        """Show what is being done now."""
        if self._shown:
            print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)
