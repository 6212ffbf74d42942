"""Whether a file is one of this camera's, whole and unharmed. Nothing here reads a pixel more than it must."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput
from nightshift.ingest.structure import Extension, unpacked, walk
from nightshift.settings import Camera, Quadrant
from nightshift.vocabulary import Reason
from reduction.detector.image_planes import plane_shape

__all__ = ["SIDECAR", "check_camera", "check_extensions", "check_sidecar", "check_whole", "sidecar_checksum"]

SIDECAR = ".sha256"
_SHA256 = re.compile(r"([0-9a-fA-F]{64})(?:\s+\*?\S.*)?\s*")


def check_whole(content: bytes, camera: Camera, *, checksums: bool = True) -> tuple[Extension, ...]:
    """Return the extensions of a file that is whole by its own account.

    Parameters
    ----------
    content : bytes
        Of the file.
    camera : Camera
    checksums : bool
        Whether the file's own must hold.

    Raises
    ------
    BadInput
        EMPTY_FILE, TOO_LARGE, UNREADABLE_FILE, TRUNCATED_FILE or CHECKSUM_MISMATCH.
    """
    most = int(camera.file_names.largest_mb * 1e6)
    if not content:
        raise BadInput(Reason.EMPTY_FILE, "0 bytes")
    whole = unpacked(content, most)
    extensions = walk(whole)
    size = sum(extension.unpacked_bytes for extension in extensions)
    if size > most:
        raise BadInput(Reason.TOO_LARGE, f"it unpacks to {size} bytes, where {most} are the most")
    for extension in extensions:
        if checksums and extension.checksum_ok is False:
            raise BadInput(Reason.CHECKSUM_MISMATCH, f"extension {extension.number}: CHECKSUM or DATASUM")
    unproven = [e.number for e in extensions if e.compressed and e.checksum_ok is None]
    if unproven:
        _unpack_images(whole, unproven)
    return extensions


def _unpack_images(content: bytes, numbers: list[int]) -> None:
    """Unpack compressed images that carry no checksum: the only proof that their bytes are whole."""
    from astropy.io import fits  # a tenth of a second, of which files with checksums need nothing

    try:
        with fits.open(io.BytesIO(content), memmap=False) as units:
            for number in numbers:
                if units[number].data is None:
                    raise ValueError("it has no image")
    except Exception as error:  # a foreign file may make the library fail in any way
        raise BadInput(
            Reason.UNREADABLE_FILE, f"a compressed image does not unpack: {type(error).__name__}: {error}"[:500]
        ) from error


def check_camera(header: Mapping[str, Any], camera: Camera) -> None:
    """Raise `BadInput` WRONG_CAMERA where a header names another camera."""
    for keyword in camera.header.camera:
        said = header.get(keyword)
        if said is not None and not re.search(camera.header_name, str(said).strip()):
            raise BadInput(Reason.WRONG_CAMERA, f"{keyword} = {said!r:.100}, not {camera.header_name}")
        if said is not None:
            return


def check_extensions(extensions: tuple[Extension, ...], camera: Camera) -> None:
    """Raise `BadInput` WRONG_SHAPE where an extension of a quadrant is missing or of another size."""
    by_name = {extension.name: extension for extension in extensions if extension.name}
    lone = _lone_image(extensions, camera)
    for quadrant in camera.quadrants:
        found = lone or _find(quadrant.extension, extensions, by_name)
        if found is None or plane_shape(found.shape) != quadrant.shape:
            raise BadInput(Reason.WRONG_SHAPE, _wrong_shape(quadrant, found, len(extensions)))
        if quadrant.overscan_extension is not None:
            overscan = _find(quadrant.overscan_extension, extensions, by_name)
            shape = plane_shape(overscan.shape) if overscan is not None else ()
            if len(shape) != 2 or shape[0] != quadrant.shape[0]:
                raise BadInput(
                    Reason.WRONG_SHAPE, f"no overscan of quadrant {quadrant.id} in {quadrant.overscan_extension!r}"
                )


def _lone_image(extensions: tuple[Extension, ...], camera: Camera) -> Extension | None:
    """Return the only image of a file that should have one: packing moves it from one extension to the next."""
    wanted = {quadrant.extension for quadrant in camera.quadrants}
    images = [extension for extension in extensions if len(plane_shape(extension.shape)) == 2]
    by_number = len(wanted) == 1 and all(isinstance(extension, int) for extension in wanted)
    return images[0] if by_number and len(images) == 1 else None


def _find(wanted: int | str, extensions: tuple[Extension, ...], by_name: dict[str, Extension]) -> Extension | None:
    if isinstance(wanted, str):
        return by_name.get(wanted.upper())
    return extensions[wanted] if wanted < len(extensions) else None


def _wrong_shape(quadrant: Quadrant, found: Extension | None, count: int) -> str:
    if found is None:
        return f"{count} extensions, and quadrant {quadrant.id} should be in {quadrant.extension!r}"
    return f"extension {quadrant.extension!r} is {found.shape}, where quadrant {quadrant.id} is {quadrant.shape}"


def sidecar_checksum(sidecar: Path) -> str:
    """Return the checksum that a sidecar file holds, in lower case; empty where it does not read as one."""
    with sidecar.open("rb") as stream:
        match = _SHA256.fullmatch(stream.read(1000).decode("ascii", "replace"))
    return match[1].lower() if match else ""


def check_sidecar(path: Path, sha256: str) -> None:
    """Raise `BadInput` CHECKSUM_MISMATCH where a checksum lies beside a file and is not the file's."""
    sidecar = path.with_name(path.name + SIDECAR)
    if not sidecar.is_file() or sidecar.is_symlink():
        return
    said = sidecar_checksum(sidecar)
    if said != sha256:
        raise BadInput(
            Reason.CHECKSUM_MISMATCH, f"{sidecar.name} says {said or 'nothing that reads'}, the file has {sha256}"
        )
