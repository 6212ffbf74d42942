"""Where the broker is."""

import os
from pathlib import Path

from nightshift.errors import Retry
from nightshift.vocabulary import Reason

__all__ = ["CONSUMER_GROUP", "broker_life", "brokers_from_environment"]

VARIABLE = "NIGHTSHIFT_BROKERS"
FILE_PREFIX = "file:"
CONSUMER_GROUP = "nightshift-consumer"  # of the night's own consumer


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


def _lines(text: str) -> list[str]:
    path = Path(text.removeprefix(FILE_PREFIX))
    try:
        lines = path.read_text().split()
    except OSError as error:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} does not read; is the broker up? {error}") from error
    if not lines:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} is empty; the broker writes its address there")
    return lines
