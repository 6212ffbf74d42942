"""File names: checked first, parsed by the camera's pattern, and never trusted further."""

import re
from dataclasses import dataclass

from nightshift.errors import BadInput
from nightshift.settings import Camera
from nightshift.vocabulary import Reason

__all__ = ["ParsedName", "check_name", "parse_name", "shown"]

LONGEST = 200
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True)
class ParsedName:
    """What a file's name says.

    Parameters
    ----------
    exposure_id : str
        The camera's own.
    detector : int or None
        None where the name does not say.
    groups : dict of str to str
        All named groups of the pattern that matched.
    """

    exposure_id: str
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
    try:
        exposure_id = camera.file_names.exposure_id.format(**groups)
    except (KeyError, IndexError) as error:
        raise BadInput(Reason.NAME_NOT_RECOGNISED, f"the name lacks its part {error}") from error
    if not _SAFE_ID.fullmatch(exposure_id) or ".." in exposure_id:
        raise BadInput(Reason.NAME_UNSAFE, f"the exposure's id would be {exposure_id!r}")
    detector = int(groups["detector"]) if groups.get("detector", "").isdecimal() else None
    return ParsedName(exposure_id, detector, groups)
