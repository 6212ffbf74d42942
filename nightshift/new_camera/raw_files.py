"""The files of a folder: their headers, the shapes of their images, and which could not be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput
from nightshift.ingest.dry_run import files_below
from nightshift.ingest.header import merged
from nightshift.ingest.naming import check_name, shown
from nightshift.ingest.structure import unpacked, walk
from nightshift.new_camera.camera_problem import CameraProblem
from reduction.detector.image_planes import plane_shape

__all__ = ["Plane", "Progress", "RawFile", "Unread", "commonest", "read_folder", "values_of"]

LARGEST_BYTES = 4_000_000_000  # unpacked
BESIDE = (".json", ".sha256", ".txt", ".md", ".log", ".csv")  # what lies beside frames and is none

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plane:
    """One image of a file.

    Parameters
    ----------
    extension : int
    shape : tuple of int
        Rows and columns.
    bits : int
        Of a stored pixel, below 0 for floating point.
    header : dict
        The primary header's values and its own.
    """

    extension: int
    shape: tuple[int, int]
    bits: int
    header: dict[str, Any]


@dataclass(frozen=True)
class RawFile:
    """A file that reads as FITS and has an image.

    Parameters
    ----------
    path : Path
    header : dict
        Of all extensions, as the ingest sees it.
    planes : tuple of Plane
    """

    path: Path
    header: dict[str, Any]
    planes: tuple[Plane, ...]

    @cached_property
    def layout(self) -> tuple[tuple[int, tuple[int, int]], ...]:
        """Extension and shape of each image; a lone one is found wherever packing put it."""
        lone = len(self.planes) == 1
        return tuple((0 if lone else plane.extension, plane.shape) for plane in self.planes)

    def value(self, keyword: str) -> str:
        """Return a header value as text, empty where it has none."""
        value = self.header.get(keyword)
        return "" if value is None else str(value).strip()


@dataclass(frozen=True)
class Unread:
    """A file that is left out, and why."""

    path: Path
    why: str


def read_folder(folder: Path, progress: Progress) -> tuple[list[RawFile], list[Unread]]:
    """Return the frames below a folder, and what is none.

    Raises
    ------
    CameraProblem
        Where there is no folder, or no frame in it.
    """
    if not folder.is_dir():
        raise CameraProblem(f"{shown(str(folder))} is no folder; name the folder that holds the raw files")
    paths = [path for path in files_below([folder]) if path.suffix.lower() not in BESIDE]
    read: list[RawFile] = []
    unread: list[Unread] = []
    for number, path in enumerate(paths, start=1):
        progress(f"reading headers: {number} of {len(paths)}")
        try:
            read.append(_raw_file(path))
        except (BadInput, OSError) as error:
            unread.append(Unread(path, str(error)))
    if not read:
        raise CameraProblem(_nothing_there(folder, unread))
    return read, unread


def _raw_file(path: Path) -> RawFile:
    check_name(path.name)
    if path.is_symlink() or not path.is_file():
        raise OSError("it is no regular file")
    if path.stat().st_size > LARGEST_BYTES:
        raise OSError(f"it has {path.stat().st_size} bytes, where {LARGEST_BYTES} are the most")
    extensions = walk(unpacked(path.read_bytes(), LARGEST_BYTES))
    primary = extensions[0].header
    planes = [
        Plane(e.number, (shape[0], shape[1]), _bits(e.header), merged((primary, e.header)))
        for e in extensions
        if len(shape := plane_shape(e.shape)) == 2 and min(shape) > 1
    ]
    if not planes:
        shapes = ", ".join(str(e.shape) for e in extensions if e.shape) or "none"
        raise OSError(f"it has no image of rows and columns; its images: {shapes}")
    return RawFile(path, merged(tuple(e.header for e in extensions)), tuple(planes))


def _bits(header: dict[str, Any]) -> int:
    bits = header.get("ZBITPIX", header.get("BITPIX"))
    return bits if isinstance(bits, int) else 0


def _nothing_there(folder: Path, unread: Sequence[Unread]) -> str:
    if not unread:
        return f"{shown(str(folder))}: no file there; name the folder that holds the raw files of a night"
    lines = [f"  {shown(each.path.name)}: {shown(each.why)}" for each in unread[:5]]
    more = [f"  and {len(unread) - 5} more"] if len(unread) > 5 else []
    return "\n".join([f"{shown(str(folder))}: none of {len(unread)} files is a FITS image:", *lines, *more])


def values_of(keyword: str, files: Sequence[RawFile]) -> dict[str, int]:
    """Return the values that a keyword has, and in how many files; where it has none it does not count."""
    counts: dict[str, int] = {}
    for file in files:
        if value := file.value(keyword):
            counts[value] = counts.get(value, 0) + 1
    return counts


def commonest(keywords: Sequence[str], files: Sequence[RawFile]) -> tuple[str, str] | None:
    """Return the first of some keywords that any file has, with its commonest value; None where none has one."""
    for keyword in keywords:
        if counts := values_of(keyword, files):
            return keyword, max(counts, key=lambda value: counts[value])
    return None
