"""One thing that was found out about the settings, and where to change it."""

from dataclasses import dataclass
from enum import StrEnum

from nightshift.settings import Survey
from nightshift.settings.loader import settings_file

__all__ = ["Remark", "Severity", "error", "good", "warning"]


class Severity(StrEnum):
    """How much a remark matters."""

    GOOD = "good"
    """As it should be."""
    WARNING = "warning"
    """The night goes on; somebody should look at it."""
    ERROR = "error"
    """It would spoil a night."""


@dataclass(frozen=True)
class Remark:
    """One line of what was found out.

    Parameters
    ----------
    severity : Severity
    text : str
    place : str
        File and key to change; empty where nothing is to be changed.
    """

    severity: Severity
    text: str
    place: str = ""

    def __str__(self) -> str:
        where = f" [{self.place}]" if self.place else ""
        return f"{self.severity}: {self.text}{where}"


def good(text: str) -> Remark:
    """Return a remark on what is as it should be."""
    return Remark(Severity.GOOD, text)


def warning(survey: Survey, text: str, file: str, key: str) -> Remark:
    """Return a remark on what somebody should look at, with the file of the settings and the key."""
    return Remark(Severity.WARNING, text, f"{settings_file(survey, file)}: {key}")


def error(survey: Survey, text: str, file: str, key: str) -> Remark:
    """Return a remark on what would spoil a night, with the file of the settings and the key."""
    return Remark(Severity.ERROR, text, f"{settings_file(survey, file)}: {key}")
