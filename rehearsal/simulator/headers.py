"""Write one detector's file as the camera would: keywords by role, quadrants and overscans where they belong."""

import io
import re
from collections.abc import Mapping

import numpy as np
from astropy.io import fits

from nightshift.settings import Quadrant, SettingsError, Survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.ephemeris import julian_date
from rehearsal.simulator.geometry import wcs_header
from rehearsal.simulator.night_plan import Exposure

__all__ = ["RawImage", "fits_bytes"]

_SAID = {
    ImageType.BIAS: ("bias", "BIAS", "zero"),
    ImageType.DARK: ("dark", "DARK"),
    ImageType.FLAT: ("flat", "FLAT", "skyflat", "SKYFLAT", "SKY FLAT", "domeflat", "DOME FLAT"),
    ImageType.SCIENCE: ("object", "OBJECT", "science", "SCIENCE"),
}

RawImage = tuple[np.ndarray, np.ndarray | None]
"""A quadrant's image and its overscan, where that is an image of its own; both uint16."""


def fits_bytes(survey: Survey, exposure: Exposure, detector: int, images: Mapping[int, RawImage]) -> bytes:
    """Return the FITS file of one detector, with checksums that do not depend on when it is written.

    Parameters
    ----------
    survey : Survey
    exposure : Exposure
    detector : int
    images : mapping of int to (ndarray of uint16, ndarray of uint16 or None)
        By quadrant.
    """
    camera = survey.camera
    common = _common(survey, exposure, detector)
    primary = fits.PrimaryHDU()
    placed: dict[int | str, fits.PrimaryHDU | fits.ImageHDU] = {0: primary}
    for quadrant_id, (image, overscan) in images.items():
        quadrant = camera.quadrant(detector, quadrant_id)
        header = _of_quadrant(survey, exposure, detector, quadrant)
        if quadrant.extension == 0:
            placed[0] = primary = fits.PrimaryHDU(image, header)
        else:
            placed[quadrant.extension] = fits.ImageHDU(image, header, name=f"Q{quadrant_id}")
        if quadrant.overscan_extension is not None and overscan is not None:
            placed[quadrant.overscan_extension] = fits.ImageHDU(overscan, name=f"Q{quadrant_id}BIAS")
    primary.header.update(common)
    if len(images) == 1 and len(placed) > 1:  # packed single images carry the whole header in their extension
        next(unit for key, unit in placed.items() if key != 0).header.update(common)
    for key, unit in placed.items():
        if isinstance(key, str):
            unit.name = key
    units = fits.HDUList([placed[key] for key in sorted(placed, key=lambda k: (isinstance(k, str), k))])
    when = exposure.shutter_open.strftime("%Y-%m-%dT%H:%M:%S")
    for unit in units:
        unit.add_checksum(when=when)
    stream = io.BytesIO()
    units.writeto(stream)
    return stream.getvalue()


def _of_quadrant(survey: Survey, exposure: Exposure, detector: int, quadrant: Quadrant) -> fits.Header:
    header = fits.Header()
    header["GAIN"] = (quadrant.gain, "electrons per ADU")
    header["RDNOISE"] = (quadrant.read_noise, "electrons")
    header["QUADRANT"] = quadrant.id
    if quadrant.data_section is not None:
        header["TRIMSEC"] = quadrant.data_section
    if quadrant.overscan_section is not None:
        header["BIASSEC"] = quadrant.overscan_section
    if exposure.commanded is not None and survey.camera.wcs == "header":
        place = exposure.commanded
        header.update(wcs_header(survey.camera, detector, quadrant.id, place.ra_deg, place.dec_deg))
    return header


def _common(survey: Survey, exposure: Exposure, detector: int) -> fits.Header:
    """The keywords of the roles that the camera's settings name, each by its first spelling."""
    keys = survey.camera.header
    header = fits.Header()
    header["TELESCOP"] = survey.site.telescope
    _put(header, keys.camera, _matching(survey.camera.header_name, survey.camera.instrument))
    for keyword, value in _image_type(survey, exposure.image_type).items():
        header[keyword] = value
    _put(header, keys.exposure_time, exposure.exposure_s)
    _put_time(header, survey, exposure)
    named = next((f for f in survey.sky.filters if f.name == exposure.filter), None)
    _put(header, keys.filter, named.header_values[0] if named else "none")
    field = survey.field(exposure.field)
    title = field.name if field else (f"field {exposure.field}" if exposure.field else str(exposure.image_type))
    _put(header, keys.object, title)
    _put(header, keys.field, exposure.field)
    if exposure.commanded is not None:
        _put(header, keys.ra, round(exposure.commanded.ra_deg, 7))
        _put(header, keys.dec, round(exposure.commanded.dec_deg, 7))
        _put(header, keys.airmass, round(exposure.airmass, 4))
    _put(header, keys.detector, detector)
    _put(header, keys.program_id, survey.alerts.program_id)
    if exposure.sequence is not None:
        name, index, length = exposure.sequence
        _put(header, keys.sequence, name)
        _put(header, keys.sequence_index, index)
        _put(header, keys.sequence_length, length)
    _put(header, keys.ambient_temperature, 8.5)
    _put(header, keys.detector_temperature, -100.0)
    header["SIMULATE"] = (True, "drawn by the simulator, not by the sky")
    return header


def _put(header: fits.Header, keywords: tuple[str, ...], value: object) -> None:
    if keywords:
        header[keywords[0]] = value


def _put_time(header: fits.Header, survey: Survey, exposure: Exposure) -> None:
    """Shutter open in UTC: as MJD, as date and time, or as two keywords."""
    keys, when = survey.camera.header, exposure.shutter_open
    clock = when.strftime("%H:%M:%S.") + f"{when.microsecond // 1000:03d}"
    if "MJD" in keys.date[0]:
        header[keys.date[0]] = round(julian_date(when) - 2400000.5, 8)
    elif keys.time:
        header[keys.date[0]] = when.strftime("%Y-%m-%d")
        header[keys.time[0]] = clock
    else:
        header[keys.date[0]] = when.strftime("%Y-%m-%dT") + clock


def _matching(pattern: str, instrument: str) -> str:
    return next((v for v in (instrument.upper(), instrument) if re.search(pattern, v)), instrument)


def _image_type(survey: Survey, kind: ImageType) -> dict[str, str]:
    """Return the keywords that make the camera's rules call the image by its kind.

    Raises
    ------
    SettingsError
        If no usual word satisfies a rule.
    """
    for rule in survey.camera.image_types:
        if rule.kind != kind:
            continue
        values = {}
        for keyword, pattern in rule.when.items():
            if keyword.startswith("name:"):
                continue
            word = next((w for w in _SAID[kind] if re.search(pattern, w)), None)
            if word is None:
                raise SettingsError(
                    f"camera {survey.camera.instrument}: no usual word for {kind} matches {pattern!r}"
                )
            values[keyword] = word
        return values
    raise SettingsError(f"camera {survey.camera.instrument} has no rule for images of type {kind}")
