"""Where the broker is, and of an embedded one what the night's own consumer has taken from it."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nightshift.errors import Retry
from nightshift.files import write_json
from nightshift.vocabulary import Reason

__all__ = ["broker_life", "brokers_from_environment", "put_taken", "taken"]

VARIABLE = "NIGHTSHIFT_BROKERS"
FILE_PREFIX = "file:"
TAKEN = ".taken"  # beside the file of the embedded broker's address


def brokers_from_environment() -> str:
    """Return Kafka's bootstrap servers: ``NIGHTSHIFT_BROKERS``, or what the file of ``file:PATH`` begins with.

    Raises
    ------
    Retry
        If the variable is not set, or the file is not there (yet).
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE} is not set: give host:port,... or file:PATH")
    return _lines(text)[0] if text.startswith(FILE_PREFIX) else text


def broker_life() -> str | None:
    """Return the name of the embedded broker's present life, or None for a broker that keeps what it acknowledged.

    The embedded broker has its messages in memory: what an earlier life acknowledged is gone with it.

    Raises
    ------
    Retry
        If its file is not there (yet).
    """
    text = os.environ.get(VARIABLE, "")
    lines = _lines(text) if text.startswith(FILE_PREFIX) else []
    return lines[1] if len(lines) > 1 else None


def put_taken(life: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Write down what the night's own consumer has taken from the embedded broker.

    Parameters
    ----------
    life : str
        Of the broker.
    offsets : mapping of (str, int) to int
        Of topic and partition the first offset that was not taken.
    """
    places = [[topic, partition, offset] for (topic, partition), offset in sorted(offsets.items())]
    write_json(_taken_file(), {"life": life, "offsets": places})


def taken(life: str) -> dict[tuple[str, int], int]:
    """Return what `put_taken` wrote of a life of the embedded broker; nothing, where it wrote nothing legible."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_taken_file().read_text())
        if found["life"] == life:
            return {(topic, partition): offset for topic, partition, offset in found["offsets"]}
    return {}


def _taken_file() -> Path:
    path = Path(os.environ[VARIABLE].removeprefix(FILE_PREFIX))
    return path.with_name(path.name + TAKEN)


def _lines(text: str) -> list[str]:
    path = Path(text.removeprefix(FILE_PREFIX))
    try:
        lines = path.read_text().split()
    except OSError as error:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} does not read; is the broker up? {error}") from error
    if not lines:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} is empty; the broker writes its address there")
    return lines
