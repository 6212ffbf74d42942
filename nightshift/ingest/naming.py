"""File names: checked first, parsed by the camera's pattern, and never trusted further."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.errors import BadInput
from nightshift.settings import Camera
from nightshift.settings.exposure_ids import HEADER, NIGHT, template_fields
from nightshift.vocabulary import Reason

__all__ = [
    "ParsedName",
    "check_name",
    "exposure_id",
    "exposure_id_by_name",
    "file_of_night",
    "one_exposure",
    "parse_name",
    "shown",
]

LONGEST = 200
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True)
class ParsedName:
    """What a file's name says.

    Parameters
    ----------
    detector : int or None
        None where the name does not say.
    groups : dict of str to str
        All named groups of the pattern that matched.
    """

    detector: int | None
    groups: dict[str, str]


def shown(name: str) -> str:
    """Return a name as the ledger and the pages may hold it: bytes that are no text are written as escapes."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def check_name(name: str) -> None:
    """Raise `BadInput` NAME_UNSAFE for a name with characters that no camera writes, or too long."""
    if len(name) > LONGEST:
        raise BadInput(Reason.NAME_UNSAFE, f"{len(name)} characters, where {LONGEST} are the most")
    if not _SAFE.fullmatch(name) or ".." in name:
        raise BadInput(Reason.NAME_UNSAFE, "allowed are letters, digits and . _ + -, and no '..'")


def parse_name(name: str, camera: Camera) -> ParsedName:
    """Parse a file's name by the camera's pattern.

    Raises
    ------
    BadInput
        NAME_UNSAFE or NAME_NOT_RECOGNISED.
    """
    check_name(name)
    match = re.fullmatch(camera.file_names.pattern, name)
    if match is None:
        raise BadInput(Reason.NAME_NOT_RECOGNISED, f"the camera's pattern is {camera.file_names.pattern}")
    groups = {key: value for key, value in match.groupdict().items() if value is not None}
    detector = int(groups["detector"]) if groups.get("detector", "").isdecimal() else None
    return ParsedName(detector, groups)


def exposure_id(name: ParsedName, camera: Camera, night: date, header: Mapping[str, Any]) -> str:
    """Return the id of the exposure that a file is of, by the camera's ``file_names.exposure_id``.

    Parameters
    ----------
    name : ParsedName
    camera : Camera
    night : date
        The date of its evening.
    header : mapping
        Keyword to value, of all extensions.

    Raises
    ------
    BadInput
        NAME_NOT_RECOGNISED where the name lacks a part, HEADER_INCOMPLETE where the header does, NAME_UNSAFE where
        the id could not be a folder's name.
    """
    parts = {**name.groups, NIGHT: _Night(night), HEADER: _Header(header)}
    try:
        made = camera.file_names.exposure_id.format(**parts)
    except KeyError as error:
        raise BadInput(Reason.NAME_NOT_RECOGNISED, f"the name lacks its part {error}") from error
    if not _SAFE_ID.fullmatch(made) or ".." in made:
        raise BadInput(Reason.NAME_UNSAFE, f"the exposure's id would be {made!r}")
    return made


def exposure_id_by_name(name: ParsedName, camera: Camera, night: date | None = None) -> str | None:
    """Return the same id where the name, and the night where it is known, are enough to make it; None otherwise."""
    needs = camera.file_names.id_needs
    if HEADER in needs or (NIGHT in needs and night is None):
        return None
    return exposure_id(name, camera, night or date.min, {})


@dataclass(frozen=True)
class _Night:
    night: date

    def __format__(self, form: str) -> str:
        return format(self.night, form or "%Y%m%d")


@dataclass(frozen=True)
class _Header:
    values: Mapping[str, Any]

    def __format__(self, keyword: str) -> str:
        value = self.values.get(keyword)
        text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
        if value is None or not text:
            raise BadInput(
                Reason.HEADER_INCOMPLETE,
                f"no {keyword}, which camera.file_names.exposure_id takes",
            )
        return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)  # two values that become one are noticed: the id repeats


def one_exposure(name: str, camera: Camera) -> str:
    """Return what the names of one exposure's files have in common within a night."""
    try:
        groups = parse_name(name, camera).groups
    except BadInput:
        return name
    names = camera.file_names
    told_by = {group for group, _ in template_fields(names.exposure_id)}
    if HEADER in names.id_needs:  # then it is not known which groups tell exposures apart
        told_by = groups.keys() - {"detector"}
    return ".".join(value for group, value in groups.items() if group in told_by) or name


def file_of_night(thing: str) -> tuple[date | None, str]:
    """Return night and name of what was written ``YYYYMMDD/name``; the night is None where it was not given.

    A camera that numbers anew each night uses its names again: with the night in front they are told apart.
    """
    day, _, name = thing.partition("/")
    if name and "/" not in name and re.fullmatch(r"\d{8}", day):
        try:
            return datetime.strptime(day, "%Y%m%d").date(), name
        except ValueError:
            return None, thing
    return None, thing
