"""Write a draft as TOML, with a sentence beside each guess."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nightshift.ingest.naming import shown
from nightshift.new_camera.camera_problem import CameraProblem
from nightshift.new_camera.guesses import Certainty, Draft, DraftTable, Guess

__all__ = ["check_new", "text_of", "write_draft"]

WIDTH = 118


def check_new(folder: Path) -> None:
    """Raise `CameraProblem` where something is at the place of the draft: nothing is ever overwritten."""
    if folder.exists() or folder.is_symlink():
        raise CameraProblem(f"{shown(str(folder))} is there, and nothing is overwritten: name another with --output")


def write_draft(draft: Draft, folder: Path, of: str) -> None:
    """Write all files of a draft into a new folder.

    Parameters
    ----------
    draft : Draft
    folder : Path
        Must not exist.
    of : str
        What it was made of, for the head of each file.
    """
    check_new(folder)
    folder.mkdir(parents=True)
    for name, tables in draft.files.items():
        (folder / name).write_text(text_of(tables, of), encoding="utf-8")
    if draft.notes:
        (folder / "NOTES.txt").write_text("".join(f"{shown(note)}\n" for note in draft.notes), encoding="utf-8")


def text_of(tables: tuple[DraftTable, ...], of: str) -> str:
    """Return the text of one file."""
    lines = [
        *_comment(f"Draft, made by `nightshift camera propose` of {of}. Beside each value: how sure it is, and why."),
        *_comment("sure, likely, unsure: look at it before the first night. ASK: find it out and put the value."),
    ]
    for table in tables:
        lines += ["", *([table.heading] if table.heading else []), *_comment(table.says)]
        for guess in table.guesses:
            lines += [*_beside(guess), f"{guess.key} = {_value(guess.value)}"]
    return "\n".join(lines) + "\n"


def _beside(guess: Guess) -> Iterator[str]:
    if guess.says:
        yield from _comment(f"{guess.certainty}: {guess.says}")
    elif guess.certainty is Certainty.ASKED:
        yield from _comment(str(guess.certainty))


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(shown(text), WIDTH - 2)] if text else []


def _value(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return (
            f"{{ {', '.join(f'{_key(name)} = {_value(item)}' for name, item in value.items())} }}" if value else "{}"
        )
    return _string(str(value))


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _string(name)


def _string(text: str) -> str:
    """Return a string: a literal one where backslashes are in it, for regular expressions read better so."""
    clean = shown(text)
    if "\\" in clean and "'" not in clean:
        return f"'{clean}'"
    return json.dumps(clean, ensure_ascii=False)
