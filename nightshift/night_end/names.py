"""What the name of a file on the manifest says of a frame that nobody has seen."""

import re
from dataclasses import dataclass

from nightshift.settings import Camera
from nightshift.vocabulary import ImageType

__all__ = ["NamedFrame", "frame_of_name"]


@dataclass(frozen=True)
class NamedFrame:
    """A frame as its name describes it.

    Parameters
    ----------
    exposure_id : str
    detector : int
    image_type : ImageType or None
        None where only the header would tell.
    """

    exposure_id: str
    detector: int
    image_type: ImageType | None


def frame_of_name(name: str, camera: Camera) -> NamedFrame | None:
    """Return the frame that a file name speaks of, or None where it is not a name of this camera."""
    match = re.match(camera.file_names.pattern, name)
    if match is None:
        return None
    groups = match.groupdict()
    detector = groups.get("detector")
    return NamedFrame(
        camera.file_names.exposure_id.format(**groups),
        int(detector) if detector is not None else camera.detector_ids[0],
        _type_by_name(groups, camera),
    )


def _type_by_name(groups: dict[str, str | None], camera: Camera) -> ImageType | None:
    """Return the type by the camera's first rule that holds; a rule that asks the header leaves it unknown."""
    for rule in camera.image_types:
        if not all(key.startswith("name:") for key in rule.when):
            return None
        if all(re.search(p, groups.get(key.removeprefix("name:")) or "") for key, p in rule.when.items()):
            return rule.kind
    return None
