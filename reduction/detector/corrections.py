"""Take the detector's signature out: each step is ``(frame, calibrations, settings) -> frame``.

Units are ADU until `apply_gain`, electrons after it. `variance` exists from `apply_gain` on.
"""

from dataclasses import replace

import numpy as np

from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.layout import Layout
from reduction.image.arithmetic import divided, less_scaled, scaled
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit, grown
from reduction.problems import Problem, Unusable

__all__ = [
    "apply_gain",
    "correct_linearity",
    "divide_flat",
    "flag_bad_pixels",
    "flag_saturated",
    "mask_edges",
    "mask_invalid",
    "subtract_bias",
    "subtract_dark",
    "subtract_overscan",
    "trim",
]

DEAD_BELOW = 0.05  # of the flat's median: no light to speak of


def flag_saturated(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Flag the pixels that reached saturation, and those beside them, whose charge cannot be trusted."""
    full = frame.image >= settings.layout.saturation
    if not full.any():
        return frame
    mask = frame.mask.copy()
    mask[grown(full)] |= np.uint16(MaskBit.SPILLAGE)
    mask[full] |= np.uint16(MaskBit.SATURATED)
    return replace(frame, mask=mask)


def flag_bad_pixels(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Flag the pixels that are known to be bad."""
    if calibrations.bad_pixels is None:
        return frame
    _check_shape(frame, calibrations.bad_pixels, "mask of bad pixels")
    return replace(frame, mask=frame.mask | calibrations.bad_pixels)


def subtract_overscan(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Subtract the overscan's level: the median of each row, averaged over its neighbours.

    A row's own median follows the electronics' drift; the running mean over 31 rows keeps its noise out.
    """
    section = settings.layout.overscan
    overscan = frame.overscan if section is None else section.of(frame.image)
    if overscan is None:
        return frame
    if overscan.shape[1] > 8:
        overscan = overscan[:, 2:]  # the first columns hold what the last pixel left behind
    finite = np.where(np.isfinite(overscan), overscan, np.nan)
    if not np.isfinite(finite).any():
        raise Unusable(Problem.UNREADABLE_FILE, "no overscan pixel has a value")
    level = np.nanmedian(finite)
    with np.errstate(all="ignore"):
        rows = np.nan_to_num(_row_medians(finite), nan=level)
    kernel = np.ones(31) / 31
    smooth = np.convolve(np.pad(rows, 15, mode="edge"), kernel, mode="valid").astype(np.float32)
    above, below = (0, len(frame.image)) if section is None else section.rows
    full = np.zeros((len(frame.image), 1), np.float32)
    full[above:below, 0] = smooth
    return replace(frame, image=frame.image - full, header={**frame.header, "OVERSCAN": float(level)}, overscan=None)


def _row_medians(values: np.ndarray) -> np.ndarray:
    """Return the median of each row, NaN where a row has no value at all."""
    finite = np.isfinite(values)
    if finite.all():
        medians: np.ndarray = np.median(values, axis=1)
        return medians
    medians, some = np.full(len(values), np.nan), finite.any(axis=1)
    medians[some] = np.nanmedian(values[some], axis=1)
    return medians


def trim(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Cut to the pixels that saw light; the WCS moves with them."""
    section = settings.layout.data
    if section is None:
        return frame
    wcs = None
    if frame.wcs is not None:
        wcs = frame.wcs.deepcopy()
        wcs.wcs.crpix = wcs.wcs.crpix - np.array([section.columns[0], section.rows[0]])
        if wcs.sip is not None:
            from astropy.wcs import Sip

            wcs.sip = Sip(wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp, wcs.wcs.crpix)
        wcs.wcs.set()
    image, mask = section.of(frame.image).copy(), section.of(frame.mask).copy()
    return replace(frame, image=image, mask=mask, wcs=wcs)


def mask_invalid(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Flag pixels without a value and put zero in their place, so that no NaN spreads."""
    invalid = ~np.isfinite(frame.image)
    if not invalid.any():
        return frame
    if invalid.all():
        raise Unusable(Problem.UNREADABLE_FILE, "no pixel has a value")
    image, mask = frame.image.copy(), frame.mask.copy()
    image[invalid] = 0
    mask[invalid] |= np.uint16(MaskBit.NAN)
    return replace(frame, image=image, mask=mask)


def subtract_bias(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Subtract the master bias and take over what it knows of bad pixels."""
    bias = calibrations.bias
    if bias is None:
        return frame
    _check_shape(frame, bias, "master bias")
    # Of the frames of a master few have flags of their own: the others share one mask.
    mask = frame.mask | bias.mask if frame.mask.any() else bias.mask
    return replace(frame, image=frame.image - bias.image, mask=mask)


def correct_linearity(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Undo what the amplifier bends; pixels brighter than was measured are flagged as saturated."""
    linearity = settings.layout.linearity
    if linearity is None:
        return frame
    beyond = frame.image > np.float32(linearity.most)
    mask = frame.mask
    if beyond.any():
        mask = mask.copy()
        mask[beyond] |= np.uint16(MaskBit.SATURATED)
    return replace(frame, image=linearity.linear(frame.image), mask=mask)


def apply_gain(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Turn ADU into electrons and start the variance: photon noise, read noise and the master bias's own."""
    layout = settings.layout
    bias = calibrations.bias
    image, variance = scaled(
        frame.image, np.float32(layout.gain), np.float32(layout.read_noise**2),
        _variance_of(frame if bias is None else bias), np.float32(layout.gain**2),
    )  # fmt: skip
    header = {
        **frame.header,
        "GAIN": 1.0,
        "RAWGAIN": layout.gain,
        "RDNOISE": layout.read_noise,
        "SATURATE": _saturation(frame, layout) * layout.gain,
    }
    return replace(frame, image=image, variance=variance, header=header)


def _saturation(frame: Frame, layout: Layout) -> float:
    """Return the level at which pixels are flagged as saturated, ADU above the overscan and proportional to light."""
    level = layout.saturation - frame.header.get("OVERSCAN", 0.0)
    if layout.linearity is None:
        return float(level)
    most = np.array([[min(level, layout.linearity.most)]], np.float32)
    return float(layout.linearity.linear(most)[0, 0])


def subtract_dark(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Subtract the dark current (electrons per second) of the exposure time.

    A dark that was made with another gain than the frame's is brought to it.
    """
    dark = calibrations.dark
    if dark is None or settings.exposure_s <= 0:
        return frame
    _check_shape(frame, dark, "master dark")
    gain = settings.layout.gain
    time = np.float32(settings.exposure_s * gain / dark.header.get("RAWGAIN", gain))
    image, variance = less_scaled(
        frame.image, _variance_of(frame), dark.image, _variance_of(dark), time
    )  # fmt: skip
    return replace(frame, image=image, variance=variance, mask=frame.mask | dark.mask)


def divide_flat(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Divide by the response; pixels without a response are flagged and set to zero."""
    flat = calibrations.flat
    if flat is None:
        return frame
    _check_shape(frame, flat, "master flat")
    image, variance, mask = divided(
        frame.image, _variance_of(frame), frame.mask, flat.image, _variance_of(flat), flat.mask,
        np.float32(DEAD_BELOW), np.uint16(MaskBit.DEAD),
    )  # fmt: skip
    return replace(frame, image=image, variance=variance, mask=mask)


def _variance_of(frame: Frame) -> np.ndarray:
    """Return a frame's variance; zeros where it has none."""
    return np.zeros(frame.shape, np.float32) if frame.variance is None else frame.variance


def mask_edges(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Flag the rows and columns at the edge that the settings give up."""
    width = settings.mask_edge_px
    if width <= 0:
        return frame
    mask = frame.mask.copy()
    edge = np.ones(mask.shape, dtype=bool)
    edge[width:-width, width:-width] = False
    mask[edge] |= np.uint16(MaskBit.DEAD)
    return replace(frame, mask=mask)


def _check_shape(frame: Frame, other: Frame | np.ndarray, what: str) -> None:
    if other.shape != frame.shape:
        raise Unusable(Problem.WRONG_SHAPE, f"the {what} has {other.shape} pixels, the frame {frame.shape}")
