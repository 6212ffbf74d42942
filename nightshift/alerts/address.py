"""Where the broker is."""

import os
from pathlib import Path

from nightshift.errors import Retry
from nightshift.vocabulary import Reason

__all__ = ["brokers_from_environment"]

VARIABLE = "NIGHTSHIFT_BROKERS"
FILE_PREFIX = "file:"


def brokers_from_environment() -> str:
    """Return Kafka's bootstrap servers: ``NIGHTSHIFT_BROKERS``, or what the file says that ``file:PATH`` names.

    Raises
    ------
    Retry
        If the variable is not set, or the file is not there (yet).
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE} is not set: give host:port,... or file:PATH")
    if not text.startswith(FILE_PREFIX):
        return text
    path = Path(text.removeprefix(FILE_PREFIX))
    try:
        brokers = path.read_text().strip()
    except OSError as error:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} does not read; is the broker up? {error}") from error
    if not brokers:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} is empty; the broker writes its address there")
    return brokers
