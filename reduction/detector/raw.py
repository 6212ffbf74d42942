"""Read one quadrant's raw pixels out of a detector's FITS file."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from reduction.detector.image_planes import plane_shape
from reduction.detector.layout import Layout, parse_section
from reduction.image.frame import BROKEN, Frame
from reduction.problems import Problem, Unusable

__all__ = ["read_quadrant"]

WCS_KEYWORD = re.compile(
    r"(CRVAL|CRPIX|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|PV[12]_\d+|(A|B|AP|BP)_\d_\d"
    r"|(A|B|AP|BP)_ORDER|CTYPE[12]|CUNIT[12]|EQUINOX|RADESYS|LONPOLE|LATPOLE"
)
TEXT_KEYWORD = re.compile(r"CTYPE|CUNIT|RADESYS")

ImageUnit: TypeAlias = fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU


def read_quadrant(path: Path, layout: Layout) -> tuple[Frame, Layout]:
    """Read a quadrant as it came from the camera.

    Parameters
    ----------
    path : Path
        The detector's file.
    layout : Layout
        What the settings say of the quadrant.

    Returns
    -------
    frame : Frame
        Raw ADU; overscan columns are in the image, an overscan image is beside it. The WCS is the header's, None
        where it has none that can be understood.
    layout : Layout
        With the sections that hold for this file.

    Raises
    ------
    Unusable
        ``unreadable_file``, ``wrong_shape`` or ``header_impossible``.
    """
    try:
        with fits.open(path, memmap=False, do_not_scale_image_data=True) as units:
            unit = _image_unit(units, layout.extension)
            header = _merged(units[0].header, unit.header)
            image = _values(unit)
            overscan = None
            if layout.overscan_extension is not None:
                overscan = _values(units[layout.overscan_extension])
    except BROKEN as error:
        raise Unusable(Problem.UNREADABLE_FILE, f"{path.name}: extension {layout.extension}: {error}") from error
    if image.shape != layout.shape:
        raise Unusable(
            Problem.WRONG_SHAPE, f"{path.name}: {image.shape} pixels (rows, columns) in place of {layout.shape}"
        )
    layout = _sections(layout, header, path)
    if overscan is not None and (overscan.ndim != 2 or overscan.shape[0] != image.shape[0]):
        raise Unusable(Problem.WRONG_SHAPE, f"{path.name}: overscan of {overscan.shape} pixels beside {image.shape}")
    mask = np.zeros(image.shape, dtype=np.uint16)
    return Frame(image, mask, wcs=_wcs(header), overscan=overscan), layout


def _values(unit: ImageUnit) -> np.ndarray:
    """Return the image's values as float32, scaled as its header says; in one pass, where astropy takes three.

    A cube of one plane is that plane.
    """
    stored, header = unit.data.reshape(plane_shape(unit.data.shape)), unit.header
    values = np.array(stored, dtype=np.float32)
    scale, zero, blank = float(header.get("BSCALE", 1)), float(header.get("BZERO", 0)), header.get("BLANK")
    if scale != 1:
        values *= np.float32(scale)
    if zero != 0:
        values += np.float32(zero)
    if blank is not None and stored.dtype.kind in "iu":
        values[stored == int(blank)] = np.nan
    return values


def _image_unit(units: fits.HDUList, extension: int | str) -> ImageUnit:
    """Return the extension, or the only image there is where a compressed file has moved it."""
    images = [u for u in units if getattr(u, "shape", None) and len(plane_shape(u.shape)) == 2 and u.is_image]
    only_one = isinstance(extension, int) and len(images) == 1
    unit: ImageUnit = images[0] if only_one else units[extension]
    return unit


def _merged(primary: fits.Header, own: fits.Header) -> dict[str, Any]:
    """Return the header's values, the extension's own winning over the primary's."""
    table: dict[str, Any] = {}
    for header in (primary, own):
        for card in header.cards:
            if card.keyword and card.keyword not in ("COMMENT", "HISTORY"):
                table[card.keyword] = card.value
    return table


def _sections(layout: Layout, header: dict[str, Any], path: Path) -> Layout:
    data, overscan = layout.data, layout.overscan
    if layout.sections_from_header:
        try:
            data = parse_section(str(header["TRIMSEC"])) if "TRIMSEC" in header else data
            overscan = parse_section(str(header["BIASSEC"])) if "BIASSEC" in header else overscan
        except ValueError as error:
            raise Unusable(Problem.HEADER_IMPOSSIBLE, f"{path.name}: {error}") from error
    for section in (data, overscan):
        if section is not None and not section.fits_in(layout.shape):
            raise Unusable(
                Problem.HEADER_IMPOSSIBLE, f"{path.name}: section {section} lies outside of {layout.shape}"
            )
    return replace(layout, data=data, overscan=overscan)


def _wcs(header: dict[str, Any]) -> WCS | None:
    """Return the header's celestial WCS; numbers may be written as strings.

    SCAMP writes its distortion as ``PV`` terms beside ``TAN``, which today's standard calls ``TPV``.
    """
    clean = fits.Header()
    try:
        for key, value in header.items():
            if not WCS_KEYWORD.fullmatch(key):
                continue
            clean[key] = str(value).strip() if TEXT_KEYWORD.match(key) else float(value)
        for key in [k for k in clean if k.endswith("_ORDER")]:
            clean[key] = int(clean[key])
    except (TypeError, ValueError):
        return None
    kinds = [str(clean.get(f"CTYPE{i}", "")) for i in (1, 2)]
    if not all(kind.startswith(("RA--", "DEC-")) for kind in kinds):
        return None
    if any(key.startswith("PV1_") for key in clean) and all(kind.endswith("-TAN") for kind in kinds):
        clean["CTYPE1"], clean["CTYPE2"] = kinds[0].replace("-TAN", "-TPV"), kinds[1].replace("-TAN", "-TPV")
    try:
        wcs = WCS(clean)
        corner = wcs.all_pix2world([[0.0, 0.0]], 0)
    except Exception:  # noqa: BLE001 -- wcslib has many ways to refuse a header; all mean that it has no WCS
        return None
    return wcs if np.isfinite(corner).all() else None
