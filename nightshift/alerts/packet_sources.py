"""Where packets to look at come from: files, folders and standard input, of this survey or another.

What an Avro container holds is read by the schema inside it, so that any survey's files do. A message as another
survey's broker sends it may come without its schema; such a one is refused with that reason.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nightshift.alerts.packets import decode_all

__all__ = ["STANDARD_INPUT", "Found", "packets_at", "stamps_of", "without_pictures"]

STANDARD_INPUT = "-"
CONFLUENT, MAGIC = b"\0", b"Obj\x01"


class Found(NamedTuple):
    """One packet, or why there is none.

    Parameters
    ----------
    name : str
        Of the file.
    packet : dict or None
    why : str
        Why it is none.
    """

    name: str
    packet: dict[str, Any] | None
    why: str = ""


def packets_at(place: str) -> Iterator[Found]:
    """Yield the packets of a file, of all files below a folder in order of their names, or of standard input.

    Raises
    ------
    OSError
        If the place is not there or cannot be read.
    """
    if place == STANDARD_INPUT:
        yield from _packets_of("standard input", sys.stdin.buffer.read())
        return
    path = Path(place)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        yield from _packets_of(str(file), file.read_bytes())


def _packets_of(name: str, content: bytes) -> Iterator[Found]:
    if not content.startswith(MAGIC):
        why = "a message without its schema" if content.startswith(CONFLUENT) else "no Avro container"
        yield Found(name, None, why)
        return
    try:
        for packet in decode_all(content):
            yield Found(name, packet)
    except ValueError as error:
        yield Found(name, None, f"it does not read: {error}")


def stamps_of(packet: dict[str, Any]) -> dict[str, bytes]:
    """Return the pictures of a packet by name, as its survey keeps them: FITS, gzipped or not."""
    stamps = {}
    for name, value in packet.items():
        content = value.get("stampData") if isinstance(value, dict) else value
        if isinstance(content, bytes):
            stamps[name] = content
    return stamps


def without_pictures(value: Any) -> Any:
    """Return a packet as JSON values, its pictures as how large they are, and no number as null."""
    if isinstance(value, dict):
        return {name: without_pictures(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_pictures(item) for item in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
