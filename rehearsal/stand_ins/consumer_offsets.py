"""How far the night's own consumer has read the mock broker, in a file beside the broker's address."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nightshift.alerts.address import address_file
from nightshift.files import write_json

__all__ = ["put_taken", "taken"]

SUFFIX = ".taken"


def put_taken(start: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Write down what the consumer has on disk.

    Parameters
    ----------
    start : str
        Of the broker.
    offsets : mapping of (str, int) to int
        Of topic and partition the first offset that was not taken.
    """
    places = [[topic, partition, offset] for (topic, partition), offset in sorted(offsets.items())]
    write_json(_file(), {"start": start, "offsets": places})


def taken(start: str) -> dict[tuple[str, int], int]:
    """Return what `put_taken` wrote of a start of the broker; nothing, where it wrote nothing legible."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_file().read_text())
        if found["start"] == start:
            return {(topic, partition): offset for topic, partition, offset in found["offsets"]}
    return {}


def _file() -> Path:
    path = address_file()
    assert path is not None, "a broker that has starts writes them into its file"
    return path.with_name(path.name + SUFFIX)
