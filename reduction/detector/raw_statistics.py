"""What raw pixels show of the readout before anything is taken out of them, and what it leaves in the noise."""

from dataclasses import replace

import numpy as np

from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.image.frame import Frame
from reduction.image.mask import FATAL

__all__ = ["note_raw_statistics", "overscan_noise", "pattern_amplitude", "same_value_fraction"]

STRIDE = (7, 5)  # of the pixels that are looked at, along rows and columns; no power of two, as readouts repeat
SUSPECT = 1000  # ADU: what a controller sends in place of pixels (BANZAI's thousands test)
PATCH = 512  # pixels on a side, for the power spectrum
SLOWEST = 16  # waves across the patch; slower ones are sky and halos


def note_raw_statistics(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Note in the header what only the raw pixels show.

    ``SAMEVAL``: fraction of pixels with the most common value. ``THOUSAND``: fraction that is exactly 1000.
    ``RNMEAS``: read noise in the overscan, electrons; absent without an overscan.
    """
    layout = settings.layout
    data = layout.data.of(frame.image) if layout.data is not None else frame.image
    values = data[:: STRIDE[0], :: STRIDE[1]]
    header = {
        **frame.header,
        "SAMEVAL": same_value_fraction(values),
        "THOUSAND": float((values == SUSPECT).mean()) if values.size else 0.0,
    }
    overscan = frame.overscan if layout.overscan is None else layout.overscan.of(frame.image)
    noise = overscan_noise(overscan) if overscan is not None else None
    if noise is not None:
        header["RNMEAS"] = noise * layout.gain
    return replace(frame, header=header)


def same_value_fraction(values: np.ndarray) -> float:
    """Return the fraction of pixels that hold the most common value; 1 where none is finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 1.0
    low, high = float(finite.min()), float(finite.max())
    if high - low < 2**20 and (finite == np.rint(finite)).all():
        return float(np.bincount((finite - low).astype(np.int64)).max() / finite.size)
    return float(np.unique(finite, return_counts=True)[1].max() / finite.size)


def overscan_noise(overscan: np.ndarray) -> float | None:
    """Return the read noise in ADU from neighbouring overscan pixels, outliers clipped; None where there are too few.

    Differences of neighbours along a row leave slow drifts out. The spread of whole numbers is taken as a clipped
    standard deviation, because a median of so few values is too coarse.
    """
    columns = overscan[:, 2:]
    if columns.shape[1] < 4:
        return None
    apart = np.diff(columns, axis=1).ravel()
    apart = apart[np.isfinite(apart)]
    for _ in range(3):
        if apart.size < 50:
            return None
        spread = float(apart.std())
        apart = apart[np.abs(apart - apart.mean()) <= max(5 * spread, 1.0)]
    return float(apart.std() / np.sqrt(2))


def pattern_amplitude(image: np.ndarray, variance: np.ndarray, mask: np.ndarray) -> float:
    """Return the amplitude of the strongest wave in the image's middle, in units of the noise.

    A wave of amplitude ``a`` sigma raises one term of the windowed power spectrum to ``a^2 N <w>^2 / 4``, where white
    noise has ``<w^2>``; N is the number of pixels. What white noise alone gives is about 0.02 for 512x512.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Background subtracted.
    variance : ndarray of float32
        Of empty pixels.
    mask : ndarray of uint16
    """
    rows, columns = image.shape
    size = min(PATCH, rows, columns)
    box = np.s_[(rows - size) // 2 : (rows + size) // 2, (columns - size) // 2 : (columns + size) // 2]
    noise = np.sqrt(np.maximum(variance[box], 1e-6))
    patch = image[box] / noise
    patch[(mask[box] & np.uint16(FATAL)) != 0] = 0
    patch[np.abs(patch) > 3] = 0  # stars, and what is left of them
    window = np.hanning(size).astype(np.float32)
    window = window[:, None] * window[None, :]
    power = np.abs(np.fft.rfft2((patch - patch.mean()) * window)) ** 2
    down = np.minimum(np.arange(size), size - np.arange(size))[:, None]
    slow = np.hypot(down, np.arange(power.shape[1])[None, :]) < min(SLOWEST, size // 8)
    power[slow] = 0
    return float(2 * np.sqrt(power.max()) / window.sum())
