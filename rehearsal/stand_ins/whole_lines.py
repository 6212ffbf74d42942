"""A file of lines that only grows, after a crash."""

import os
from pathlib import Path

__all__ = ["whole_lines"]


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file, none where it is not there; one that a crash left unfinished is cut off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return whole.splitlines()
