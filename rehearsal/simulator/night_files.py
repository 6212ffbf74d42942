"""A folder of raw files as a night: their order, their night, and a manifest where none came with them."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from astropy.io import fits

from nightshift.clock import MJD_EPOCH
from nightshift.errors import NeedsOperator
from nightshift.files import sha256_of, write_json
from nightshift.ingest.dry_run import files_below, goes_beside
from nightshift.nights import night_of
from nightshift.settings import Camera, Survey
from nightshift.vocabulary import ImageType, Reason
from rehearsal.simulator.manifest import manifest_of

__all__ = ["RawFile", "RealNight", "choose_night", "list_raw_files", "prepare_real_night"]


@dataclass(frozen=True)
class RawFile:
    """A raw file that is named as the camera names them.

    Parameters
    ----------
    path : Path
    shutter_open : datetime or None
        Aware, UTC. None where the header does not say.
    image_type : ImageType or None
        None where no rule of the camera holds.
    """

    path: Path
    shutter_open: datetime | None
    image_type: ImageType | None


@dataclass(frozen=True)
class RealNight:
    """A night of real files.

    Parameters
    ----------
    night : date
    files : tuple of Path
        In shutter order.
    manifest : Path
        It was made for them.
    left_out : int
        How many other files the folder holds; what comes beside frames (manifests, checksums) is not counted.
    """

    night: date
    files: tuple[Path, ...]
    manifest: Path
    left_out: int


def list_raw_files(survey: Survey, folder: Path) -> tuple[RawFile, ...]:
    """Return the camera's files below a folder in shutter order; those without a time come last.

    Raises
    ------
    NeedsOperator
        If there is none.
    """
    last = datetime.max.replace(tzinfo=UTC)
    files = (read_raw_file(survey.camera, path) for path in _raw_paths(survey, folder))
    return tuple(sorted(files, key=lambda f: (f.shutter_open or last, f.path.name)))


def _raw_paths(survey: Survey, folder: Path) -> list[Path]:
    pattern = re.compile(survey.camera.file_names.pattern)
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and pattern.fullmatch(path.name)]
    if not paths:
        raise NeedsOperator(
            Reason.NAME_NOT_RECOGNISED,
            f"no file below {folder} is named as {survey.camera.instrument} names them ({pattern.pattern})",
        )
    return paths


def choose_night(survey: Survey, folder: Path, night: date | None = None) -> tuple[date, tuple[RawFile, ...]]:
    """Return which night of a folder of real files is taken, and its files in shutter order. Only headers are read.

    Parameters
    ----------
    survey : Survey
    folder : Path
        Any nested folder. Files that are not named as the camera names them are left out; those without a
        readable time are of every night.
    night : date, optional
        Which night to take, where the folder holds several.

    Raises
    ------
    NeedsOperator
        If there is no file, none of that night, or the folder holds several nights and none was chosen.
    """
    raw = list_raw_files(survey, folder)
    nights = Counter(night_of(survey.site, f.shutter_open) for f in raw if f.shutter_open is not None)
    if night is None:
        if len(nights) != 1:
            held = ", ".join(f"{n} ({count} files)" for n, count in sorted(nights.items())) or "no readable time"
            raise NeedsOperator(
                Reason.HEADER_IMPOSSIBLE,
                f"{folder} must hold one night; it holds {held}: choose one with NIGHT=YYYY-MM-DD for make, "
                "or --night",
            )
        night = next(iter(nights))
    elif night not in nights:
        raise NeedsOperator(Reason.HEADER_IMPOSSIBLE, f"{folder} holds no file of the night {night}")
    return night, tuple(f for f in raw if f.shutter_open is None or night_of(survey.site, f.shutter_open) == night)


def prepare_real_night(survey: Survey, folder: Path, output: Path, *, night: date | None = None) -> RealNight:
    """Bring a folder of real files in order and write ``manifest_YYYYMMDD.json`` for them, marked synthetic.

    Parameters
    ----------
    survey : Survey
    folder : Path
    output : Path
        Where the manifest goes.
    night : date, optional
        Which night to take, where the folder holds several.

    Raises
    ------
    NeedsOperator
        As `choose_night`.
    """
    night, mine = choose_night(survey, folder, night)
    entries = [{"name": f.path.name, "bytes": f.path.stat().st_size, "sha256": sha256_of(f.path)} for f in mine]
    left_out = sum(not goes_beside(path, survey) for path in files_below([folder])) - len(mine)
    manifest = output / f"manifest_{night:%Y%m%d}.json"
    write_json(manifest, manifest_of(survey.site.name, night, entries, synthetic=True))
    return RealNight(night, tuple(f.path for f in mine), manifest, left_out)


def read_raw_file(camera: Camera, path: Path) -> RawFile:
    """Read what a file's header says of its time and type. What does not read is left None: it is still played."""
    try:
        header = _header(path)
    except (OSError, ValueError, TypeError):
        return RawFile(path, None, None)
    return RawFile(path, _shutter_open(camera, header), _image_type(camera, path.name, header))


def _header(path: Path) -> dict[str, object]:
    """The primary header, and beneath it that of the first extension (packed images keep theirs there)."""
    with fits.open(path, memmap=False, lazy_load_hdus=True) as units:
        merged: dict[str, object] = dict(units[0].header)
        with suppress(IndexError):
            merged = {**dict(units[1].header), **merged}
        return merged


def _said(header: dict[str, object], keywords: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for keyword in keywords:
        if keyword in header and str(header[keyword]).strip():
            yield keyword, str(header[keyword]).strip()


def _shutter_open(camera: Camera, header: dict[str, object]) -> datetime | None:
    keyword, value = next(_said(header, camera.header.date), ("", ""))
    try:
        if "MJD" in keyword:
            return MJD_EPOCH + timedelta(days=float(value))
        if "T" not in value:
            value = f"{value}T{next(_said(header, camera.header.time), ('', '00:00:00'))[1]}"
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _image_type(camera: Camera, name: str, header: dict[str, object]) -> ImageType | None:
    match = re.fullmatch(camera.file_names.pattern, name)
    groups = match.groupdict() if match else {}
    facts = {**{k: str(v) for k, v in header.items()}, **{f"name:{k}": v or "" for k, v in groups.items()}}
    for rule in camera.image_types:
        if all(re.search(pattern, facts.get(key, "")) for key, pattern in rule.when.items()):
            return rule.kind
    return None
