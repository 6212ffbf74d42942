"""Where the broker is."""

import os
from dataclasses import dataclass
from pathlib import Path

from nightshift.errors import Retry
from nightshift.vocabulary import Reason

__all__ = ["Broker", "address_file", "broker_from_environment", "brokers_from_environment"]

VARIABLE = "NIGHTSHIFT_BROKERS"
FILE_PREFIX = "file:"


@dataclass(frozen=True)
class Broker:
    """A broker that can be reached.

    Parameters
    ----------
    servers : str
        Kafka's bootstrap servers.
    stand_in : str
        The name of the stand-in that answers there (`nightshift.stack.stand_ins`), where it has limits of its own;
        empty for every other broker.
    start : str
        What a stand-in calls the present start of it; another start has another name.
    """

    servers: str
    stand_in: str = ""
    start: str = ""


def broker_from_environment() -> Broker:
    """Return the broker that ``NIGHTSHIFT_BROKERS`` names: as ``host:port,...``, or as ``file:PATH``.

    A file holds the address and, of a stand-in with limits of its own, its name and that of its start, as words.

    Raises
    ------
    Retry
        If the variable is not set, or the file is not there (yet).
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE} is not set: give host:port,... or file:PATH")
    path = address_file()
    return Broker(text) if path is None else Broker(*_words(path)[:3])


def brokers_from_environment() -> str:
    """Return Kafka's bootstrap servers, of the broker that the environment names."""
    return broker_from_environment().servers


def address_file() -> Path | None:
    """Return the file in which the broker writes where it is; None where the environment says it itself."""
    text = os.environ.get(VARIABLE, "")
    return Path(text.removeprefix(FILE_PREFIX)) if text.startswith(FILE_PREFIX) else None


def _words(path: Path) -> list[str]:
    try:
        words = path.read_text().split()
    except OSError as error:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} does not read; is the broker up? {error}") from error
    if not words:
        raise Retry(Reason.INTERNAL_ERROR, f"{VARIABLE}: {path} is empty; the broker writes its address there")
    return words
