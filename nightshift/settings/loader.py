"""Read a survey's folder and check it once."""

import hashlib
import json
import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nightshift.settings.models import Survey

__all__ = ["SettingsError", "bad_pixels_file", "camera_file", "load_survey", "settings_hash", "survey_names"]

FILES = ("site.toml", "camera.toml", "fields.toml", "policy.toml", "jobs.toml")
_CONFIG = Path(__file__).resolve().parents[2] / "config"


class SettingsError(ValueError):
    """A survey's settings are wrong; the message names file, key, value and what is allowed."""


def config_folder() -> Path:
    """Return the folder that holds one folder a survey (``NIGHTSHIFT_CONFIG``, or the shipped one)."""
    return Path(os.environ.get("NIGHTSHIFT_CONFIG", _CONFIG))


def survey_names() -> tuple[str, ...]:
    """Return the surveys that are configured here, in alphabetical order."""
    return tuple(sorted(p.parent.name for p in config_folder().glob("*/site.toml")))


def load_survey(name: str) -> Survey:
    """Read and check the settings of a survey.

    Parameters
    ----------
    name : str
        The name of its folder.

    Raises
    ------
    SettingsError
        If there is no such survey, a file does not read, or a value is not allowed.
    """
    if name not in survey_names():
        raise SettingsError(
            f"no survey {name!r} in {config_folder()}; there are: {', '.join(survey_names()) or 'none'}"
        )
    folder = config_folder() / name
    return _load(name, config_folder(), tuple(_stamp(folder / file) for file in FILES))


def _stamp(file: Path) -> tuple[int, int]:
    """Return what differs when a file was written anew: a process that lives for nights reads it again then."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=16)
def _load(name: str, root: Path, _: tuple[tuple[int, int], ...]) -> Survey:
    folder = root / name
    tables: dict[str, Any] = {"name": name}
    origin: dict[str, Path] = {}
    for file in (folder / f for f in FILES):
        for key, value in _read_toml(file).items():
            if key in tables:
                raise SettingsError(f"{file}: {key} is already set in {origin.get(key, folder)}")
            tables[key], origin[key] = value, file
    try:
        survey = Survey.model_validate(tables)
    except ValidationError as error:
        raise SettingsError(_explain(error, origin, folder)) from error
    _check_masks(survey, folder)
    return survey


def camera_file(survey: Survey) -> Path:
    """Return the file that holds the camera's settings, for messages that say where to change them."""
    return config_folder() / survey.name / "camera.toml"


def bad_pixels_file(survey: Survey, detector: int, quadrant: int) -> Path | None:
    """Return the file of a quadrant's mask of bad pixels, None where the camera has none."""
    path = survey.camera.bad_pixels_of(detector, quadrant)
    return None if path is None else config_folder() / survey.name / path


def _check_masks(survey: Survey, folder: Path) -> None:
    camera = survey.camera
    for detector in camera.detector_ids:
        for quadrant in camera.quadrant_ids:
            mask = bad_pixels_file(survey, detector, quadrant)
            if mask is not None and not mask.is_file():
                raise SettingsError(
                    f"{folder / 'camera.toml'}: camera.bad_pixels = {camera.bad_pixels!r}: {mask} is not there; "
                    "every quadrant of a detector in service has a mask, of zeros where it has no bad pixels"
                )


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        raise SettingsError(f"{file} is missing; a survey has the files {', '.join(FILES)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} does not read as TOML: {error}") from error


def _explain(error: ValidationError, origin: dict[str, Path], folder: Path) -> str:
    lines = []
    for item in error.errors():
        place = item["loc"]
        key = ".".join(str(part) for part in place) or "(across files)"
        file = origin.get(str(place[0]), folder) if place else folder
        value = "" if item["type"] == "missing" else f" = {item['input']!r:.200}"
        lines.append(f"{file}: {key}{value}: {item['msg']}")
    return "\n".join(lines)


def settings_hash(value: Any) -> str:
    """Return the first 16 hexadecimal digits of the sha256 of a settings table or plain value."""
    plain = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
