"""What a report is made of: sections with their tables, figures, pictures, and what needs a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "ALERTS",
    "ARCHIVE",
    "BOOKS",
    "DETECTORS",
    "EVENTS",
    "EXPOSURES",
    "FILES",
    "FLAGGED",
    "MASTERS",
    "MOVERS",
    "REFERENCES",
    "UNITS",
    "Cell",
    "Column",
    "Figure",
    "Need",
    "Picture",
    "Section",
    "Tone",
    "anchor_of",
    "columns",
]

# Titles of those of its own sections that parts follow, or that what needs a person points to.
BOOKS = "The books"
EXPOSURES = "Science exposures"
DETECTORS = "Stars and detectors"
ALERTS = "Alerts"
MOVERS = "Moving objects"
MASTERS = "Calibrations"
UNITS = "Units that were not processed"
FLAGGED = "Units processed with a flag"
FILES = "Files out of the ordinary"
REFERENCES = "References built"
EVENTS = "Said during the night"
ARCHIVE = "Archive"


class Tone(StrEnum):
    """How something stands; shown as a colour beside words that say the same."""

    GOOD = "good"
    """As it should be."""
    WARN = "warn"
    """To be watched."""
    BAD = "bad"
    """Somebody should act."""
    PLAIN = ""
    """Neither."""


class Cell(str):
    """A table's cell that has a tone.

    Parameters
    ----------
    text : str
        What the cell says: the whole of it, for whoever sees no colour.
    tone : Tone
    """

    tone: Tone

    def __new__(cls, text: str, tone: Tone = Tone.PLAIN) -> "Cell":
        """Return the text with its tone."""
        cell = super().__new__(cls, text)
        cell.tone = tone
        return cell


@dataclass(frozen=True)
class Column:
    """One column: numbers stand right, words left; of bars (`report_text.sparkline`) the last is marked."""

    title: str
    align: str = "left"
    bars: bool = False


@dataclass(frozen=True)
class Section:
    """One table with its heading.

    Parameters
    ----------
    title : str
    columns : tuple of Column
    rows : sequence of tuple of str
        A cell may be a `Cell`.
    note : str
        What is said above the table, or in place of one that would be empty.
    picture : str
        Name of the picture that belongs here.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    picture: str = ""

    @property
    def anchor(self) -> str:
        """What a link on the page calls it."""
        return anchor_of(self.title)


@dataclass(frozen=True)
class Figure:
    """One large figure at the top."""

    value: str
    label: str


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    Parameters
    ----------
    name : str
        Of its file, and of its part in the mail.
    title, description : str
        Shown beside it; the description says what is seen, for whoever cannot see it.
    png : bytes
    width : int
        In pixels, as it is shown (the file has twice as many).
    leads : bool
        Stands above all tables, under its own title.
    """

    name: str
    title: str
    description: str
    png: bytes
    width: int
    leads: bool = False


@dataclass(frozen=True)
class Need:
    """Something that needs a person.

    Parameters
    ----------
    sentence : str
        What is the matter, and with what.
    step : str
        What to do first, where the sentence does not say it.
    command : str
        The command line that goes with it, to be copied.
    section : str
        Title of the section of the report that tells more.
    workflow : str
        The workflow on Airflow's pages that it is about.
    """

    sentence: str
    step: str = ""
    command: str = ""
    section: str = ""
    workflow: str = ""

    def __str__(self) -> str:
        return self.sentence


def anchor_of(title: str) -> str:
    """Return what a link calls the section of a title."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def columns(*titles: str) -> tuple[Column, ...]:
    """Return columns; a title that begins with ``>`` is of numbers, one that begins with ``|`` of bars."""
    return tuple(Column(t.lstrip(">|"), "right" if t.startswith(">") else "left", t.startswith("|")) for t in titles)
