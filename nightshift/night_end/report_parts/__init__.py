"""Parts of the morning's report that other packages bring: each a function of its own, in a file of this folder.

A part asks what it needs of a night and returns sections, pictures and what needs a person::

    @report_part("Disks", rank=60)
    def disks(context: Context, night: date) -> ReportPart:
        disks = disk_queries.disks(context.ledger, site=context.site.name)
        rows = [(disk.name, size(disk.free_bytes)) for disk in disks]
        return ReportPart((Section("Disks", columns("Disk", ">Free"), rows),))

Every module of this folder is read by itself. A part that fails harms nothing else: the report says which one it was
and why, and everything else stands in it as ever.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.night_end.commands_to_copy import Commands
from nightshift.night_end.report_elements import REFERENCES, Need, Picture, Section

__all__ = ["PlacedPart", "ReportPart", "parts_of_report", "report_part"]


@dataclass(frozen=True)
class ReportPart:
    """What a part adds to the report.

    Parameters
    ----------
    sections : tuple of Section
        A section without rows and without a picture shows its note.
    pictures : tuple of Picture
        Each is shown in the section that names it; one that leads stands above all tables. Their names are unique in
        the report, and their colours are those of `nightshift.night_end.report_colours`.
    needs : tuple of Need
        Written among what needs a person, after what the night's accounts say. An event of the level PAGE or ERROR
        is there already.
    """

    sections: tuple[Section, ...] = ()
    pictures: tuple[Picture, ...] = ()
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class PlacedPart:
    """A part that was made, with the title of the section of the report that it follows."""

    after: str
    part: ReportPart


MakePart = Callable[[Context, date], ReportPart | None]


@dataclass(frozen=True)
class _Registered:
    title: str
    rank: int
    after: str
    make: MakePart


_REGISTERED: dict[str, _Registered] = {}


def report_part(title: str, *, rank: int, after: str = REFERENCES) -> Callable[[MakePart], MakePart]:
    """Register a part.

    Parameters
    ----------
    title : str
        What the report calls it where it fails.
    rank : int
        The parts that follow the same section stand in this order; equal ranks by title.
    after : str
        The section of the report that it follows (a title of `nightshift.night_end.report_elements`); by default the
        last one before the archive.

    Returns
    -------
    callable
        A decorator of a function ``(context, night) -> ReportPart or None``. The context is of one site, with the
        settings of the night. The same ledger must give the same part: no time of the day may be in it.
    """

    def register(make: MakePart) -> MakePart:
        if title in _REGISTERED:
            raise ValueError(f"two parts of the report are called {title!r}: rename one of them")
        _REGISTERED[title] = _Registered(title, rank, after, make)
        return make

    return register


def parts_of_report(context: Context, night: date) -> tuple[PlacedPart, ...]:
    """Return what the parts add to the report of a night, in the order of their ranks."""
    unread = tuple(PlacedPart(REFERENCES, _failed(name, error, context, night)) for name, error in _unread_modules())
    ordered = sorted(_REGISTERED.values(), key=lambda known: (known.rank, known.title))
    made = ((known.after, _made(known, context, night)) for known in ordered)
    return *(PlacedPart(after, part) for after, part in made if part is not None), *unread


def _unread_modules() -> Iterator[tuple[str, Exception]]:
    """Read every module of this folder, which registers its part, and tell of those that do not read and why."""
    for module in pkgutil.iter_modules(__path__):
        try:
            importlib.import_module(f"{__name__}.{module.name}")
        except Exception as error:  # noqa: BLE001 (whatever one part does, the others are read)
            yield module.name, error


def _made(known: _Registered, context: Context, night: date) -> ReportPart | None:
    try:
        return known.make(context, night)
    except Exception as error:  # noqa: BLE001 (whatever one part does, the report is written)
        return _failed(known.title, error, context, night)


def _failed(title: str, error: Exception, context: Context, night: date) -> ReportPart:
    why = f"{type(error).__name__}: {error}"
    need = Need(
        f"The report lacks its part {title}: {why}.",
        "Report it as a defect; the rest is whole.",
        Commands.of(context, night).of_night("report"),
        section=title,
    )
    return ReportPart((Section(title, (), [], f"This part could not be made: {why}."),), needs=(need,))
