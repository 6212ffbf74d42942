"""What the morning's report says of the sky that was seen: a row a map, and pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.coverage.coverage_pictures import draw_coverage
from nightshift.coverage.depth_map import DepthMap
from nightshift.coverage.map_keys import MapKey
from nightshift.coverage.map_rows import MapFigures, area_text
from nightshift.coverage.stored_maps import stored_maps, whole_map

__all__ = ["TITLES", "CoverageOfReport", "CoveragePicture", "coverage_of_report"]

TITLES = (
    "Camera", "Filter", ">Tonight", ">Exposures, median / most", ">Limit (mag) 10/50/90 %", ">New", ">All nights",
    ">Limit (mag) 10/50/90 %",
)  # fmt: skip
Maps = Mapping[MapKey, DepthMap]


@dataclass(frozen=True)
class CoveragePicture:
    """One picture, with what it shows in words.

    Parameters
    ----------
    name, title, description : str
    png : bytes
    of_all : bool
        Whether it is of all nights.
    """

    name: str
    title: str
    description: str
    png: bytes
    of_all: bool


@dataclass(frozen=True)
class CoverageOfReport:
    """What the report says of the sky that was seen.

    Parameters
    ----------
    rows : tuple of tuple of str
        A row a map of the night, under `TITLES`.
    pictures : tuple of CoveragePicture
        Two an instrument: of the night, and of all nights.
    is_first : bool
        Whether all nights are this one.
    """

    rows: tuple[tuple[str, ...], ...]
    pictures: tuple[CoveragePicture, ...]
    is_first: bool


def coverage_of_report(context: Context, night: date) -> CoverageOfReport:
    """Return what the report of a night says. What is said of all nights is as of now.

    Parameters
    ----------
    context : Context
        Of one site.
    night : date
    """
    maps = {
        key: found.depth_map
        for key, row in stored_maps(context).items()
        if key.night in (night, None) and (found := whole_map(context, row)) is not None
    }
    tonight = {key: each for key, each in maps.items() if key.night and len(each.pixels)}
    rows = tuple(_row(key, each, maps.get(key.cumulative, each)) for key, each in tonight.items())
    is_first = all(area_of_new == area_of_all for *_, area_of_new, area_of_all, _ in rows)
    return CoverageOfReport(rows, tuple(_pictures(maps, tonight)), is_first)


def _row(key: MapKey, tonight: DepthMap, of_all: DepthMap) -> tuple[str, ...]:
    figures, all_figures = MapFigures.of(key, tonight), MapFigures.of(key.cumulative, of_all)
    new = of_all.area_deg2 - of_all.minus(tonight).area_deg2
    return (
        key.instrument, figures.filter_text, area_text(tonight.area_deg2), figures.exposures_text, figures.depth_text,
        area_text(new), area_text(of_all.area_deg2), all_figures.depth_text,
    )  # fmt: skip


def _pictures(maps: Maps, tonight: Maps) -> Iterator[CoveragePicture]:
    for instrument in sorted({key.instrument for key in tonight}):
        for name, title, chosen in (
            ("night", "What the night saw", tonight),
            ("all", "What all nights saw", {key: each for key, each in maps.items() if key.night is None}),
        ):
            own = {key: each for key, each in chosen.items() if key.instrument == instrument}
            yield CoveragePicture(
                f"coverage_{name}_{instrument}",
                f"{title}: {instrument}",
                _says(own),
                draw_coverage(own),
                name == "all",
            )


def _says(maps: Maps) -> str:
    """Say what a picture shows, for whoever cannot see it."""
    return "Limiting magnitude on the sky. " + "; ".join(str(MapFigures.of(key, each)) for key, each in maps.items())
