"""Tables of which each camera of the site has its rows."""

from collections.abc import Callable, Iterable

from nightshift.night_end.facts import CameraFacts, NightFacts
from nightshift.night_end.report_elements import Column, columns

__all__ = ["camera_columns", "camera_notes", "camera_rows"]


def camera_rows(
    facts: NightFacts, rows_of: Callable[[CameraFacts], Iterable[tuple[str, ...]]]
) -> list[tuple[str, ...]]:
    """Return the rows of all cameras; where the site has several, each row begins with its camera's name."""
    if not facts.has_several_cameras:
        return [row for camera in facts.cameras for row in rows_of(camera)]
    return [(camera.instrument, *row) for camera in facts.cameras for row in rows_of(camera)]


def camera_columns(facts: NightFacts, *titles: str) -> tuple[Column, ...]:
    """Return the columns of a table of `camera_rows`."""
    return columns(*(("Camera",) if facts.has_several_cameras else ()), *titles)


def camera_notes(facts: NightFacts, note_of: Callable[[CameraFacts], str]) -> str:
    """Return what is said of all cameras; where the site has several, each under its name."""
    notes = [(camera.instrument, note_of(camera)) for camera in facts.cameras]
    return " ".join(f"{name}: {note}" if facts.has_several_cameras else note for name, note in notes)
