"""Read a survey's folder and check it once.

A survey of one instrument has five files in its folder: site, camera, fields, policy and jobs. One of several sites
and instruments has `survey.toml` in their place, with what holds for all beside it (fields, policy, jobs), a file a
site in `sites/` and a folder an instrument in `cameras/`, whose own fields, policy and jobs say what is otherwise
there.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nightshift.settings.deployment import Deployment
from nightshift.settings.fields_table import FORMATS, with_fields_of_table
from nightshift.settings.models import Survey
from nightshift.settings.open_questions import open_questions
from nightshift.settings.settings_error import SettingsError

__all__ = [
    "SettingsError",
    "bad_pixels_file",
    "camera_file",
    "fields_table_of",
    "load_deployment",
    "load_survey",
    "names_in_folder",
    "settings_file",
    "settings_hash",
    "survey_names",
]

FILES = ("site.toml", "camera.toml", "fields.toml", "policy.toml", "jobs.toml")
SHARED = ("survey.toml", "fields.toml", "policy.toml", "jobs.toml")  # of a survey of several instruments
OWN = ("fields.toml", "policy.toml", "jobs.toml")  # of an instrument of such a survey
# tables that all instruments of a site share
OF_A_SITE = (
    "night",
    "storage",
    "archive",
    "copies",
    "retention",
    "disks",
    "moving_objects",
    "preflight",
    "night_watch",
)  # fmt: skip
OF_ALL = ("messages",)  # tables that all instruments of a survey share
_CONFIG = Path(__file__).resolve().parents[2] / "config"


def config_folder() -> Path:
    """Return the folder that holds one folder a survey (``NIGHTSHIFT_CONFIG``, or the shipped one)."""
    return Path(os.environ.get("NIGHTSHIFT_CONFIG", _CONFIG))


def survey_names() -> tuple[str, ...]:
    """Return the surveys that are configured here, in alphabetical order."""
    files = (path for name in ("site.toml", "survey.toml") for path in config_folder().glob(f"*/{name}"))
    return tuple(sorted({path.parent.name for path in files}))


def fields_table_of(name: str) -> tuple[Path, str | None]:
    """Return a survey's folder and the name of its table of fields, which need not be there yet.

    Raises
    ------
    SettingsError
        If there is no such survey, or its fields.toml does not read.
    """
    if name not in survey_names():
        raise SettingsError(f"no survey {name!r} in {config_folder()}; there are: {', '.join(survey_names())}")
    folder = config_folder() / name
    sky = _read_toml(folder / "fields.toml").get("sky", {})
    table = sky.get("fields_table") if isinstance(sky, dict) else None
    return folder, table if isinstance(table, str) and Path(table).name == table else None


def load_survey(name: str) -> Survey:
    """Read and check the settings of a survey as one instrument sees it.

    Parameters
    ----------
    name : str
        The name of its folder; of a survey of several instruments ``survey/instrument``.

    Raises
    ------
    SettingsError
        If there is no such survey or instrument, a file does not read, a value is not allowed, or the survey has
        several instruments and none is named.
    """
    survey, _, instrument = name.partition("/")
    deployment = load_deployment(survey)
    return deployment.survey_of(instrument) if instrument else deployment.survey


def load_deployment(name: str) -> Deployment:
    """Read and check the settings of a survey with all its instruments.

    Parameters
    ----------
    name : str
        The name of its folder; ``survey/instrument`` leaves out all other instruments.

    Raises
    ------
    SettingsError
        If there is no such survey or instrument, a file does not read, or a value is not allowed.
    """
    survey, _, instrument = name.partition("/")
    if survey not in survey_names():
        raise SettingsError(
            f"no survey {survey!r} in {config_folder()}; there are: {', '.join(survey_names()) or 'none'}"
        )
    folder = config_folder() / survey
    read = [*folder.rglob("*.toml"), *(path for kind in FORMATS for path in folder.glob(f"*{kind}"))]
    files = tuple((file, *_stamp(file)) for file in sorted(read))
    deployment = _load(survey, config_folder(), files)
    return deployment.of_instrument(instrument) if instrument else deployment


def names_in_folder(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sites and the instruments of a survey as its folder names them, also while its files do not load.

    Both are empty for a survey of one instrument, whose files have no such names.
    """
    folder = config_folder() / name
    sites = tuple(sorted(path.stem for path in folder.glob("sites/*.toml")))
    return sites, tuple(sorted(path.parent.name for path in folder.glob("cameras/*/camera.toml")))


def _stamp(file: Path) -> tuple[int, int]:
    """Return what differs when a file was written anew: a process that lives for nights reads it again then."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=16)
def _load(name: str, root: Path, _: tuple[tuple[Path, int, int], ...]) -> Deployment:
    folder = root / name
    if not (folder / "survey.toml").exists():
        return Deployment.of(_one_instrument(name, folder))
    if (folder / "site.toml").exists():
        raise SettingsError(
            f"{folder} has both site.toml and survey.toml: a survey of several sites has its sites in "
            f"{folder / 'sites'}; move site.toml there"
        )
    return _several_instruments(name, folder)


def _one_instrument(name: str, folder: Path) -> Survey:
    origin: dict[str, Path] = {}
    tables = _read_tables((folder / file for file in FILES), origin)
    return _checked({"name": name, **tables}, origin, folder)


# --- several sites and instruments ---------------------------------------------------------------------------


def _several_instruments(name: str, folder: Path) -> Deployment:
    origin: dict[str, Path] = {}
    shared = _read_tables((folder / file for file in SHARED), origin, optional=OWN)
    sites = _read_sites(folder / "sites")
    surveys = [
        _read_instrument(name, camera, shared, origin, sites)
        for camera in _folders(folder / "cameras", "camera.toml")
    ]
    _check_instruments(surveys, folder)
    if unused := sorted(sites.keys() - {survey.site.name for survey in surveys}):
        raise SettingsError(f"{folder / 'sites'}: no camera names the site {', '.join(unused)}; leave its file out")
    return Deployment.of_all(surveys)


def _folders(parent: Path, file: str) -> list[Path]:
    """Return the folders in which a file lies."""
    found = sorted(path.parent for path in parent.glob(f"*/{file}"))
    if not found:
        raise SettingsError(f"{parent} has no folder with a {file}: a survey needs at least one instrument")
    return found


def _read_sites(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of the sites by their names."""
    sites: dict[str, dict[str, Any]] = {}
    files: dict[str, Path] = {}
    for file in sorted(folder.glob("*.toml")):
        table = _read_toml(file)
        if set(table) != {"site"} or not isinstance(table["site"], dict):
            raise SettingsError(f"{file}: has {', '.join(table) or 'nothing'}; one table [site] is allowed")
        name = str(table["site"].get("name", ""))
        if name in files:
            raise SettingsError(
                f"{file}: site.name = {name!r} is the name of the site in {files[name]} too; every site of a survey "
                "has its own name, and keeps it: rename this one"
            )
        files[name], sites[name] = file, table["site"]
    for name, file in files.items():
        if file.stem != name:
            raise SettingsError(f"{file}: site.name = {name!r}: the file of this site must be called {name}.toml")
    return sites


def _read_instrument(
    name: str,
    folder: Path,
    shared: Mapping[str, Any],
    origin: Mapping[str, Path],
    sites: Mapping[str, dict[str, Any]],
) -> Survey:
    """Return what one instrument of several has: its own tables over those of all."""
    own_origin: dict[str, Path] = {}
    own = _read_tables((folder / file for file in ("camera.toml", *OWN)), own_origin, optional=OWN)
    site = own.pop("site", None)
    if not isinstance(site, str) or site not in sites:
        known = ", ".join(sorted(sites)) or f"none: {folder.parents[1] / 'sites'} holds a file a site"
        raise SettingsError(
            f'{folder / "camera.toml"}: site = {site!r}: an instrument stands at one site, written site = "name" '
            f"above the first table; there are {known}"
        )
    tables = {"name": name, **_laid_over(shared, own), "site": sites[site]}
    places = {**origin, **own_origin, "site": folder.parents[1] / "sites" / f"{site}.toml"}
    return _checked(tables, places, folder)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return one table laid over another, key by key; a list replaces the other as a whole."""
    both = {
        key: _laid_over(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}


def _check_instruments(surveys: list[Survey], folder: Path) -> None:
    """Refuse instruments that nobody could tell apart."""
    known: dict[str, Survey] = {}
    folders = _folders(folder / "cameras", "camera.toml")
    for own, survey in zip(folders, surveys, strict=True):
        instrument = survey.camera.instrument
        other = known.setdefault(instrument, survey)
        if other is not survey:
            where = (
                f"at {survey.site.name} and at {other.site.name}" if survey.site != other.site else survey.site.name
            )
            raise SettingsError(
                f"{own / 'camera.toml'}: camera.instrument = {instrument!r} is used twice ({where}): an instrument "
                "stands at one site and its id is its alone; give this camera an id of its own"
            )
    for own, survey in zip(folders, surveys, strict=True):
        if own.name != survey.camera.instrument:
            raise SettingsError(
                f"{own / 'camera.toml'}: camera.instrument = {survey.camera.instrument!r}: the folder of this camera "
                f"must be called {survey.camera.instrument}"
            )
    _check_told_apart(surveys, folder)
    _check_ids_of_alerts(surveys, folder)
    _check_shared_tables(surveys, folder)


def _check_told_apart(surveys: list[Survey], folder: Path) -> None:
    """Refuse two cameras where a file's name fits both and a header that names the one is taken for the other's.

    Whether two different patterns fit one name cannot be decided for all; such a file is told apart by its header
    when it comes, and set aside where that fits both.
    """
    for one, other in combinations((survey.camera for survey in surveys), 2):
        if one.file_names.pattern == other.file_names.pattern and _may_be_one_name(
            one.header_name, other.header_name
        ):
            raise SettingsError(
                f"{folder / 'cameras'}: {one.instrument} and {other.instrument} have the same file_names.pattern, "
                f"and a header can fit the header_name of both ({one.header_name} and {other.header_name}), so "
                "that no file says whose it is: let the one or the other differ"
            )


def _may_be_one_name(one: str, other: str) -> bool:
    """Whether a name that the one pattern was surely written for fits the other too."""
    plain, beside = one.strip("^$"), other.strip("^$")
    return one == other or re.search(other, plain) is not None or re.search(one, beside) is not None


def _check_ids_of_alerts(surveys: list[Survey], folder: Path) -> None:
    """Refuse settings by which two instruments could give one id to two candidates."""
    if len(surveys) < 2:
        return
    seen: dict[int, str] = {}
    for survey in surveys:
        camera = survey.camera
        if survey.alerts.ids != "nightshift":
            raise SettingsError(
                f"{folder / 'policy.toml'}: alerts.ids = {survey.alerts.ids!r} numbers the candidates of one "
                f'instrument, and {survey.name} has {len(surveys)}: set alerts.ids = "nightshift"'
            )
        other = seen.setdefault(camera.number, camera.instrument)
        if other != camera.instrument:
            raise SettingsError(
                f"{camera_file(survey)}: camera.number = {camera.number} is that of {other} too, and the ids of "
                "their alerts would be the same: every instrument of a survey has a number of its own, and keeps it"
            )


def _check_shared_tables(surveys: list[Survey], folder: Path) -> None:
    first: dict[str, Survey] = {}
    for survey in surveys:
        shared = [(first.setdefault(survey.site.name, survey), table, "site") for table in OF_A_SITE]
        shared += [(surveys[0], table, "survey") for table in OF_ALL]
        for other, table, whole in shared:
            if getattr(survey, table) != getattr(other, table):
                raise SettingsError(
                    f"{folder / 'cameras'}: {other.camera.instrument} and {survey.camera.instrument} have different "
                    f"tables [{table}], which hold for the whole {whole}: say it once, in {folder / 'policy.toml'}"
                )


# --- files ---------------------------------------------------------------------------------------------------


def _read_tables(files: Iterable[Path], origin: dict[str, Path], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the tables of some files, and note which is from where."""
    tables: dict[str, Any] = {}
    for file in files:
        if file.name in optional and not file.exists():
            continue
        for key, value in _read_toml(file).items():
            if key in tables or key == "name":
                raise SettingsError(f"{file}: {key} is already set in {origin.get(key, file.parent)}")
            tables[key], origin[key] = value, file
    return tables


def _checked(tables: dict[str, Any], origin: dict[str, Path], folder: Path) -> Survey:
    if asked := [f"{origin.get(key.split('.')[0], folder)}: {key}: {what}" for key, what in open_questions(tables)]:
        raise SettingsError("not answered yet (put the value in the question's place):\n" + "\n".join(asked))
    own = folder.parents[1] if folder.parent.name == "cameras" else folder
    try:
        survey = Survey.model_validate(with_fields_of_table(tables, own))
    except ValidationError as error:
        raise SettingsError(_explain(error, origin, folder)) from error
    _check_masks(survey, folder)
    return survey


def settings_file(survey: Survey, name: str) -> Path:
    """Return the file of an instrument's settings, for messages that say where to change them."""
    folder = config_folder() / survey.name
    own = folder / "cameras" / survey.camera.instrument
    if name == "site.toml" and own.is_dir():
        return folder / "sites" / f"{survey.site.name}.toml"
    return own / name if (own / name).exists() else folder / name


def camera_file(survey: Survey) -> Path:
    """Return the file that holds the camera's settings."""
    return settings_file(survey, "camera.toml")


def bad_pixels_file(survey: Survey, detector: int, quadrant: int) -> Path | None:
    """Return the file of a quadrant's mask of bad pixels, None where the camera has none."""
    path = survey.camera.bad_pixels_of(detector, quadrant)
    if path is None:
        return None
    folder = config_folder() / survey.name
    own = folder / "cameras" / survey.camera.instrument
    return (own if own.is_dir() else folder) / path


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
