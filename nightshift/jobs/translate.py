"""Turn a survey's settings into what `reduction` takes: it knows nothing of settings."""

from datetime import date
from typing import Any

from astropy.wcs import WCS

from nightshift.settings import Survey
from reduction.astrometry import tangent_wcs
from reduction.compression import Compression
from reduction.masters import MasterSettings
from reduction.quality import Bounds
from reduction.raw import Layout, parse_section

__all__ = ["bounds_of", "compression_of", "layout_of", "master_settings", "pointing_wcs"]


def layout_of(survey: Survey, detector: int, quadrant: int) -> Layout:
    """Return the layout of one quadrant's raw pixels."""
    own = survey.camera.quadrant(detector, quadrant)
    return Layout(
        extension=own.extension,
        shape=own.shape,
        gain=own.gain,
        read_noise=own.read_noise,
        saturation=own.saturation,
        data=parse_section(own.data_section) if own.data_section else None,
        overscan=parse_section(own.overscan_section) if own.overscan_section else None,
        overscan_extension=own.overscan_extension,
        sections_from_header=own.sections_from_header,
    )


def master_settings(survey: Survey, kind: str, layout: Layout) -> MasterSettings:
    """Return how frames of a master are judged."""
    policy = survey.calibration
    return MasterSettings(
        kind=kind,
        level_adu=policy.flat_level_adu,
        saturated_fraction=policy.saturated_fraction,
        unlike_fraction=policy.unlike_fraction,
        unlike_sigma=policy.unlike_sigma,
        gain=layout.gain,
        read_noise=layout.read_noise,
        dark_current=policy.dark_current,
        ramp_tolerance=policy.flat_ramp_tolerance,
    )


def bounds_of(survey: Survey, filter_name: str, day: date) -> tuple[Bounds, ...]:
    """Return the bounds that hold on a day: the latest of each measurement, one for the filter before one for all."""
    latest: dict[str, Any] = {}
    for threshold in survey.thresholds:
        if threshold.valid_from > day or threshold.filter not in (None, filter_name):
            continue
        known = latest.get(threshold.name)
        rank = (threshold.filter is not None, threshold.valid_from)
        if known is None or rank >= (known.filter is not None, known.valid_from):
            latest[threshold.name] = threshold
    return tuple(Bounds(name, t.warn, t.fail) for name, t in sorted(latest.items()))


def compression_of(survey: Survey) -> Compression:
    """Return how calibrated images and differences are compressed."""
    numbers = survey.reduction
    return Compression(
        masks=numbers.compression != "none",
        steps_per_noise=numbers.steps_per_noise if numbers.compression == "all" else None,
    )


def pointing_wcs(
    survey: Survey, detector: int, quadrant: int, shape: tuple[int, int], ra_deg: float | None, dec_deg: float | None
) -> WCS | None:
    """Return the WCS that the pointing gives to a quadrant; None where there is no pointing."""
    if ra_deg is None or dec_deg is None:
        return None
    camera = survey.camera
    chip = next(d for d in camera.detectors if d.id == detector)
    own = camera.quadrant(detector, quadrant)
    offset = (
        chip.sky_offset_arcsec[0] + own.sky_offset_arcsec[0],
        chip.sky_offset_arcsec[1] + own.sky_offset_arcsec[1],
    )
    return tangent_wcs(
        ra_deg, dec_deg, shape, scale_arcsec=camera.pixel_scale_arcsec, parity=camera.parity, offset_arcsec=offset
    )
