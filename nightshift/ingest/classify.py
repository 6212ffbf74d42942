"""What an image was taken for, in which filter, on which field: by the survey's rules, not by code."""

import math
import re
from collections.abc import Mapping
from typing import Any

from nightshift.errors import BadInput
from nightshift.ingest.header import FrameHeader
from nightshift.ingest.naming import ParsedName
from nightshift.settings import Camera, Survey
from nightshift.vocabulary import ImageType, Reason

__all__ = ["classify", "field_of", "filter_of", "is_reduced"]

NAME_PREFIX = "name:"


def classify(header: Mapping[str, Any], name: ParsedName, camera: Camera) -> ImageType:
    """Return the type that the first rule of the camera whose every condition holds gives.

    Raises
    ------
    BadInput
        IMAGE_TYPE_NOT_RECOGNISED, with what the rules looked at.
    """
    for rule in camera.image_types:
        if all(_holds(keyword, pattern, header, name) for keyword, pattern in rule.when.items()):
            return rule.kind
    looked = {keyword: _value(keyword, header, name) for rule in camera.image_types for keyword in rule.when}
    raise BadInput(Reason.IMAGE_TYPE_NOT_RECOGNISED, f"no rule knows {looked}"[:500])


def _holds(keyword: str, pattern: str, header: Mapping[str, Any], name: ParsedName) -> bool:
    value = _value(keyword, header, name)
    return value is not None and re.search(pattern, value) is not None


def _value(keyword: str, header: Mapping[str, Any], name: ParsedName) -> str | None:
    if keyword.startswith(NAME_PREFIX):
        return name.groups.get(keyword.removeprefix(NAME_PREFIX))
    value = header.get(keyword)
    return None if value is None else str(value).strip()


def is_reduced(image_type: ImageType, survey: Survey) -> bool:
    """Whether frames of this type are worked on, or only registered and archived."""
    if image_type is ImageType.SCIENCE:
        return True
    return image_type.value in {kind.value for kind in survey.calibration.kinds}


def filter_of(header: FrameHeader, name: ParsedName, image_type: ImageType, survey: Survey) -> str:
    """Return the survey's name of the filter; empty for what no light passed.

    Raises
    ------
    BadInput
        HEADER_INCOMPLETE or HEADER_IMPOSSIBLE, where a flat or science frame names none of the survey's filters.
    """
    if image_type in (ImageType.BIAS, ImageType.DARK):
        return ""
    said = header.filter or name.groups.get("filter", "")
    found = survey.filter_by_header(said)
    if found is not None:
        return found.name
    if image_type is ImageType.ENGINEERING:
        return ""
    if not said:
        keywords = ", ".join(survey.camera.header.filter)
        raise BadInput(Reason.HEADER_INCOMPLETE, f"no filter: none of {keywords} is there")
    known = ", ".join(entry.name for entry in survey.sky.filters)
    raise BadInput(Reason.HEADER_IMPOSSIBLE, f"filter {said!r}: the survey's filters are {known}")


def field_of(header: FrameHeader, name: ParsedName, survey: Survey) -> int | None:
    """Return the field that a science frame lies on, as the survey tells fields apart; None where on none."""
    if survey.sky.field_from == "name":
        said = name.groups.get("field", "")
        return int(said) if said.isdecimal() and int(said) < 2**31 else None
    if survey.sky.field_from == "object":
        fields = (f for f in survey.sky.fields if f.object_pattern and re.search(f.object_pattern, header.object))
        return next((f.id for f in fields), None)
    if header.ra_deg is None or header.dec_deg is None:
        return None
    near = [(_separation_deg(header.ra_deg, header.dec_deg, f.ra_deg, f.dec_deg), f) for f in survey.sky.fields]
    inside = [(distance, f.id) for distance, f in near if distance <= f.radius_deg]
    return min(inside)[1] if inside else None


def _separation_deg(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Return the angle between two directions in degrees, by the haversine formula."""
    a1, d1, a2, d2 = (math.radians(angle) for angle in (ra1, dec1, ra2, dec2))
    h = math.sin((d2 - d1) / 2) ** 2 + math.cos(d1) * math.cos(d2) * math.sin((a2 - a1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h))))
