"""Whose frames a folder holds: one camera's, or several that have to be told apart."""

import re
from collections.abc import Sequence

from nightshift.ingest.naming import shown
from nightshift.new_camera.camera_problem import CameraProblem
from nightshift.new_camera.guesses import Certainty, Guess
from nightshift.new_camera.raw_files import RawFile, commonest

__all__ = ["CAMERA_KEYWORDS", "camera_guesses", "frames_of_one", "slug"]

CAMERA_KEYWORDS = ("INSTRUME", "CAMERA", "CAMNAME", "LCAMMOD", "CAMID", "DETNAM", "DETECTOR")
NAMED = 3  # files of each camera in a message


def slug(text: str, otherwise: str) -> str:
    """Return a text as the settings name things: small letters, digits and ``_``."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40] or otherwise


def frames_of_one(files: Sequence[RawFile], instrument: str | None) -> list[RawFile]:
    """Return the frames of one camera.

    Parameters
    ----------
    files : sequence of RawFile
    instrument : str or None
        What the header calls the camera that is wanted; None where there is only one.

    Raises
    ------
    CameraProblem
        Where there are several and none was chosen, or the chosen one is not there.
    """
    keyword, groups = _by_camera(files)
    if instrument is None and len(groups) > 1:
        raise CameraProblem(
            f"{len(groups)} cameras have files there; choose one with --instrument:\n{_told(keyword, groups)}"
        )
    if instrument is None:
        return list(files)
    chosen = [frames for name, frames in groups.items() if name.lower() == instrument.strip().lower()]
    if not chosen:
        told = _told(keyword, groups) if keyword else "no header names a camera"
        raise CameraProblem(f"no file is of {shown(instrument)!r}; there are:\n{told}")
    return chosen[0]


def _by_camera(files: Sequence[RawFile]) -> tuple[str, dict[str, list[RawFile]]]:
    """Return the keyword that names the camera, and the frames by its value."""
    found = commonest(CAMERA_KEYWORDS, files)
    if found is None:
        return "", {"": list(files)}
    groups: dict[str, list[RawFile]] = {}
    for file in files:
        groups.setdefault(file.value(found[0]), []).append(file)
    return found[0], groups


def _told(keyword: str, groups: dict[str, list[RawFile]]) -> str:
    lines = []
    for name, frames in sorted(groups.items()):
        names = ", ".join(shown(frame.path.name) for frame in frames[:NAMED])
        more = f" and {len(frames) - NAMED} more" if len(frames) > NAMED else ""
        said = f"{keyword} = {shown(name)!r}" if name else f"no {keyword}"
        lines.append(f"  {said}: {len(frames)} files: {names}{more}")
    return "\n".join(lines)


def camera_guesses(files: Sequence[RawFile]) -> list[Guess]:
    """Return the instrument's id and what the header's camera keyword must say."""
    found = commonest(CAMERA_KEYWORDS, files)
    if found is None:
        return [Guess("instrument", "camera", Certainty.UNSURE, "No header names the camera; call it as you like.")]
    keyword, name = found
    said = f"{keyword} is {name!r} in all {len(files)} files."
    return [
        Guess(
            "instrument", slug(name, "camera"), Certainty.LIKELY, f"{said} Call it as you like, once and for ever."
        ),
        Guess("header_name", f"(?i)^{re.escape(name)}$", Certainty.SURE, said),
    ]
