"""Filters and fields: what the frames were taken through, and where they point."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightshift.new_camera.guesses import Certainty, DraftTable, Guess, asked
from nightshift.new_camera.one_camera import slug

__all__ = ["Pointing", "find_fields", "find_filters"]

NAMES_OF_ZTF = {"g": 1, "r": 2, "i": 3}  # as its brokers know `fid`
RADIUS_DEG = 0.2  # of a field, where the camera's view is not known
FRAMES_OF_A_FIELD = 3  # at least; a single frame is a test more often than a field


@dataclass(frozen=True)
class Pointing:
    """Where a science frame points, degrees, and what it calls that."""

    ra_deg: float
    dec_deg: float
    object: str


def find_filters(named: Sequence[str]) -> tuple[DraftTable, ...]:
    """Return a table for each filter, from what each flat and science frame calls its own."""
    counts = Counter(named)
    spellings: dict[str, list[str]] = {}
    for value in counts:
        spellings.setdefault(value if value.isalnum() else slug(value, "none"), []).append(value)
    numbers = iter(n for n in range(1, len(spellings) + 5) if n not in {NAMES_OF_ZTF.get(name) for name in spellings})
    return tuple(
        _filter(name, values, counts, NAMES_OF_ZTF.get(name) or next(numbers)) for name, values in spellings.items()
    )


def _filter(name: str, values: Sequence[str], counts: Mapping[str, int], number: int) -> DraftTable:
    frames = sum(counts[value] for value in values)
    certainty = Certainty.SURE if any(values) else Certainty.UNSURE
    says = f"In {frames} frames." if any(values) else f"{frames} frames name no filter: the only one there is."
    return DraftTable(
        "[[sky.filters]]",
        (
            Guess("name", name, certainty, says),
            Guess("header_values", list(values), Certainty.SURE, "How headers spell it; add other spellings."),
            Guess("number", number, Certainty.LIKELY, "Of the alerts; never change it once one was sent."),
        ),
    )


def find_fields(pointings: Sequence[Pointing], view_deg: float | None) -> tuple[tuple[DraftTable, ...], list[str]]:
    """Return a table for each field that frames point at, and what is left out.

    Parameters
    ----------
    pointings : sequence of Pointing
    view_deg : float or None
        The shorter side of what the camera sees.
    """
    radius = view_deg / 2 if view_deg else RADIUS_DEG
    groups = _groups(pointings, radius)
    enough = [group for group in groups if len(group) >= FRAMES_OF_A_FIELD] or groups[:1]
    left = [group for group in groups if group not in enough]
    notes = [_too_few(group) for group in left]
    if not enough:
        return (_unknown_field(),), notes
    return tuple(_field(number, group, radius) for number, group in enumerate(enough, start=1)), notes


def _too_few(group: Sequence[Pointing]) -> str:
    first = group[0]
    where = f"{first.object or 'no object'} at {first.ra_deg:.3f} {first.dec_deg:+.3f}"
    return f"Frames of {where}: {len(group)}, too few for a field."


def _groups(pointings: Sequence[Pointing], radius_deg: float) -> list[list[Pointing]]:
    """Return pointings that lie together, the largest group first."""
    groups: list[list[Pointing]] = []
    for pointing in pointings:
        near = next((group for group in groups if _apart_deg(group[0], pointing) < radius_deg), None)
        if near is None:
            groups.append([pointing])
        else:
            near.append(pointing)
    return sorted(groups, key=len, reverse=True)


def _apart_deg(one: Pointing, other: Pointing) -> float:
    east = ((one.ra_deg - other.ra_deg + 180) % 360 - 180) * math.cos(math.radians(one.dec_deg))
    return math.hypot(east, one.dec_deg - other.dec_deg)


def _field(number: int, group: Sequence[Pointing], radius_deg: float) -> DraftTable:
    first = group[0]
    ra = (first.ra_deg + statistics.median((p.ra_deg - first.ra_deg + 180) % 360 - 180 for p in group)) % 360
    name = Counter(p.object for p in group).most_common(1)[0][0] or f"field {number}"
    return DraftTable(
        "[[sky.fields]]",
        (
            Guess("id", number, Certainty.LIKELY, "Any number; it names the field for ever."),
            Guess("name", name, Certainty.LIKELY, f"{len(group)} frames point here."),
            Guess("ra_deg", round(ra, 4), Certainty.LIKELY, "The median of their pointings."),
            Guess("dec_deg", round(statistics.median(p.dec_deg for p in group), 4), Certainty.LIKELY, ""),
            Guess(
                "radius_deg",
                round(radius_deg, 3),
                Certainty.LIKELY,
                "Half of what the camera sees: a pointing this close is this field.",
            ),
        ),
    )


def _unknown_field() -> DraftTable:
    return DraftTable(
        "[[sky.fields]]",
        (
            Guess("id", 1, Certainty.LIKELY, "Any number; it names the field for ever."),
            asked("name", "A name for the field.", instead="field 1"),
            asked("ra_deg", "Right ascension of the field's centre, degrees."),
            asked("dec_deg", "Declination of the field's centre, degrees."),
        ),
    )
