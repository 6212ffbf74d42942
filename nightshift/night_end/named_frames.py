"""What the name of a file on the manifest says of a frame that nobody has seen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from nightshift.errors import BadInput
from nightshift.ingest.naming import exposure_id_by_name, parse_name
from nightshift.settings import Camera
from nightshift.vocabulary import ImageType

__all__ = ["NamedFrame", "frame_of_name"]


@dataclass(frozen=True)
class NamedFrame:
    """A frame as its name describes it.

    Parameters
    ----------
    exposure_id : str or None
        None where only the header would tell.
    detector : int
    image_type : ImageType or None
        None where only the header would tell.
    """

    exposure_id: str | None
    detector: int
    image_type: ImageType | None


def frame_of_name(name: str, camera: Camera, night: date) -> NamedFrame | None:
    """Return the frame that a file name speaks of in a night, or None where it is not a name of this camera."""
    try:
        parsed = parse_name(name, camera)
        exposure_id = exposure_id_by_name(parsed, camera, night)
    except BadInput:
        return None
    detector = parsed.detector if parsed.detector is not None else camera.detector_ids[0]
    return NamedFrame(exposure_id, detector, _type_by_name(parsed.groups, camera))


def _type_by_name(groups: Mapping[str, str], camera: Camera) -> ImageType | None:
    """Return the type by the camera's first rule that holds; a rule that asks the header leaves it unknown."""
    for rule in camera.image_types:
        if not all(key.startswith("name:") for key in rule.when):
            return None
        if all(re.search(p, groups.get(key.removeprefix("name:"), "")) for key, p in rule.when.items()):
            return rule.kind
    return None
