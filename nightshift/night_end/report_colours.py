"""The report's colours: of the page by day and in the dark, and of pictures, which are the same in both.

A mail program may show a page on white, on black, or with colours that it turns by itself; a picture it leaves as it
is. So a picture brings its own ground, dark enough not to glare at night, and its words stand out on that.
``tests/unit/night_end/test_colours.py`` computes the contrasts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DARK", "FILTER_COLOURS", "LIGHT", "PICTURE", "Palette", "colour_of"]


@dataclass(frozen=True)
class Palette:
    """Colours that are seen together, as ``#rrggbb``.

    Parameters
    ----------
    behind : str
        Around what is read.
    ground : str
        Behind what is read.
    ink, faint : str
        Words, and words that say less.
    line : str
        Lines between rows; nothing is read from them.
    good, warn, bad : str
        Words that tell how something stands.
    link : str
    code : str
        The ground of a command.
    """

    behind: str
    ground: str
    ink: str
    faint: str
    line: str
    good: str
    warn: str
    bad: str
    link: str
    code: str


LIGHT = Palette(
    behind="#eef1f4", ground="#ffffff", ink="#22303c", faint="#566370", line="#dfe4e9",
    good="#23694a", warn="#7d5608", bad="#a3352b", link="#1a5a9e", code="#eef2f6",
)  # fmt: skip
DARK = Palette(
    behind="#10151a", ground="#1a2129", ink="#e4e9ee", faint="#a8b3be", line="#36424e",
    good="#74cf9b", warn="#e2b457", bad="#f4978e", link="#8fbcf2", code="#242e38",
)  # fmt: skip
PICTURE = Palette(
    behind="#1b2530", ground="#1b2530", ink="#e6ebf0", faint="#aab5c0", line="#3b4856",
    good="#74cf9b", warn="#e2b457", bad="#ff8f85", link="#8fbcf2", code="#26313d",
)  # fmt: skip

FILTER_COLOURS = {"g": "#74cf9b", "r": "#f2a45c", "i": "#bd9cf7", "z": "#d3d9df", "V": "#74cf9b", "VR": "#7cb8f0"}
SPARE_COLOURS = ("#7cb8f0", "#e6c35c", "#f08fc0", "#6fd0c8")


def colour_of(name: str, names: Iterable[str]) -> str:
    """Return a filter's colour in pictures: the same in every picture of a night."""
    if name in FILTER_COLOURS:
        return FILTER_COLOURS[name]
    others = sorted(n for n in set(names) if n not in FILTER_COLOURS)
    return SPARE_COLOURS[others.index(name) % len(SPARE_COLOURS)] if name in others else PICTURE.faint
