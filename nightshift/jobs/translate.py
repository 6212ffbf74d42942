"""Turn a survey's settings into what `reduction` takes: it knows nothing of settings."""

import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS

from nightshift.jobs.contract import UnitWork
from nightshift.settings import Quadrant, Survey
from nightshift.vocabulary import Reason
from reduction.detector.calibrations import Aggressor
from reduction.detector.crosstalk import Coupling, read_aggressor
from reduction.detector.layout import Layout, parse_section
from reduction.detector.linearity import Linearity
from reduction.detector.masters import MasterSettings, read_master
from reduction.detector.photon_transfer import Estimate
from reduction.image.compression import Compression
from reduction.image.frame import Frame
from reduction.measure.astrometry import tangent_wcs
from reduction.measure.quality import Bounds
from reduction.optional_steps import OptionalStep
from reduction.problems import Problem, Unusable
from reduction.recipes import Recipe, recipe_without

__all__ = [
    "aggressors_of",
    "bounds_of",
    "compression_of",
    "gain_of",
    "layout_as_measured",
    "layout_of",
    "master_of",
    "master_settings",
    "pointing_wcs",
    "recipe_of",
]

LINEARITY_NODES = 2049  # of the table in which a correction is applied: 30 ADU apart, where 60,000 saturate
BELIEVED = 0.2  # of the difference that matters: the error that a measured gain may have


def recipe_of(survey: Survey) -> Recipe:
    """Return the steps that the camera's frames take."""
    return recipe_without(survey.camera.leave_out)


def layout_of(survey: Survey, detector: int, quadrant: int) -> Layout:
    """Return the layout of one quadrant's raw pixels."""
    own = survey.camera.quadrant(detector, quadrant)
    corrects = OptionalStep.CORRECT_LINEARITY not in survey.camera.leave_out
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
        linearity=_linearity(own) if corrects else None,
    )


def _linearity(quadrant: Quadrant) -> Linearity | None:
    if quadrant.linearity is None:
        return None
    most = quadrant.linearity.most(quadrant.saturation)
    nodes = np.array(quadrant.linearity.nodes(quadrant.saturation, LINEARITY_NODES))
    return Linearity(most, (nodes - np.linspace(0, most, LINEARITY_NODES)).astype(np.float32))


def aggressors_of(
    survey: Survey, detector: int, quadrant: int, raw: Path
) -> tuple[tuple[Aggressor, ...], tuple[int, ...]]:
    """Read from a detector's raw file what the amplifiers saw that a quadrant hears.

    Returns
    -------
    aggressors : tuple of Aggressor
    unread : tuple of int
        Quadrants that are heard and whose images do not read: what was heard of them cannot be taken out.
    """
    if OptionalStep.SUBTRACT_CROSSTALK in survey.camera.leave_out:
        return (), ()
    found, unread = [], []
    for entry in survey.camera.crosstalk_of(detector, quadrant):
        source = layout_of(survey, detector, entry.source)
        try:
            aggressor = read_aggressor(raw, Coupling(source, entry.coefficient, entry.mirrored))
        except Unusable:
            unread.append(entry.source)
        else:
            found += [] if aggressor is None else [aggressor]
    return tuple(found), tuple(unread)


def layout_as_measured(
    layout: Layout, survey: Survey, bias: Frame | None, flat: Frame | None
) -> tuple[Layout, tuple[Reason, ...]]:
    """Return the layout with the gain and read noise that the masters' frames show, where the settings' are wrong.

    Wrong is what differs by more than `gain_apart` and `read_noise_apart` of the survey's calibration settings, and
    by far more than the measurement's error. The reasons say which were taken.
    """
    policy, flags = survey.calibration, []
    gain, noise = _estimate(flat, "GAINMEAS", "GAINERR"), _estimate(bias, "RNADU", "RNADUERR")
    if gain is not None and _apart(gain, layout.gain, policy.gain_apart):
        layout = replace(layout, gain=gain.value)
        flags.append(Reason.GAIN_DISAGREES)
    if noise is not None:
        electrons = Estimate(noise.value * layout.gain, noise.error * layout.gain)
        if _apart(electrons, layout.read_noise, policy.read_noise_apart):
            layout = replace(layout, read_noise=electrons.value)
            flags.append(Reason.READ_NOISE_DISAGREES)
    return layout, tuple(flags)


def master_of(work: UnitWork, role: str) -> Frame | None:
    """Return the master that a unit has for a role, None where it has none.

    Raises
    ------
    Unusable
        ``unreadable_file`` where it does not read or lacks values.
    """
    item = work.input(role)
    name = "last master" if role == "last_master" else f"master {role}"
    return read_master(Path(item.path), name) if item is not None else None


def gain_of(dark: Frame, by_settings: float) -> float:
    """Return the electrons per ADU that a master dark was made with.

    One that does not say is taken for the settings', with which every master dark is made: the measured gain, which
    may serve in their place, is of the science frame.

    Raises
    ------
    Unusable
        ``header_impossible`` where what it says is no gain.
    """
    if "RAWGAIN" not in dark.header:
        return by_settings
    gain = _number(dark, "RAWGAIN")
    if gain == 0:
        raise Unusable(Problem.HEADER_IMPOSSIBLE, "a master says RAWGAIN = 0; it must be above 0")
    return gain


def _estimate(master: Frame | None, value: str, error: str) -> Estimate | None:
    """Return what a master's header says that was measured on its frames."""
    if master is None or value not in master.header or error not in master.header:
        return None
    measured = Estimate(_number(master, value), _number(master, error))
    return measured if measured.value else None  # frames without noise


def _number(master: Frame, keyword: str) -> float:
    """Return a number of a master's header that cannot be below 0."""
    said = master.header[keyword]
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < math.inf:
        raise Unusable(
            Problem.HEADER_IMPOSSIBLE, f"a master says {keyword} = {said!r}; it must be a number from 0 up"
        )
    return float(said)


def _apart(measured: Estimate, said: float, most: float) -> bool:
    """Whether a measured number and what the settings say differ by more than a fraction of what they say."""
    apart = abs(measured.value - said)
    return apart > most * said and measured.error < BELIEVED * apart


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
        ra_deg, dec_deg, shape, scale_arcsec=camera.pixel_scale_arcsec, parity=camera.parity,
        rotation_deg=camera.rotation_deg, offset_arcsec=offset,
    )  # fmt: skip
