"""Master bias, dark and flat: which frames deserve to be in one, and their clipped mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy.ndimage import median_filter

from reduction.detector import (
    Calibrations,
    DetectorSettings,
    flag_saturated,
    mask_edges,
    mask_invalid,
    subtract_bias,
    subtract_overscan,
    trim,
)
from reduction.frame import Frame
from reduction.mask import MaskBit
from reduction.median import median_of

__all__ = [
    "PREPARE",
    "FrameVerdict",
    "MasterSettings",
    "build_master",
    "judge_frames",
    "prepare",
    "unlike_fraction",
]

PREPARE = (flag_saturated, mask_invalid, subtract_overscan, trim, mask_edges, subtract_bias)
CLIP = 4.0  # sigma about the median
FLOOR = {"bias": 0.0, "dark": 0.0, "flat": 0.01}  # relative differences below this say nothing against a frame
LEVEL_APART = 0.5  # of the read noise: a closed shutter's level may wander by so much
NOISY = 6.0  # times the master's usual scatter
LOW, HIGH, DEAD = 0.5, 1.5, 0.05  # response against its neighbours'; of the median


@dataclass(frozen=True)
class MasterSettings:
    """How frames of a master are judged.

    Parameters
    ----------
    kind : str
        ``bias``, ``dark`` or ``flat``.
    level_adu : tuple of float
        Useful median levels of a flat, overscan subtracted.
    saturated_fraction : float
        A frame with more saturated pixels is left out.
    unlike_fraction, unlike_sigma : float
        A frame is left out where more than this fraction of its pixels differs by so many sigma.
    gain, read_noise : float
        Electrons per ADU; electrons.
    """

    kind: str
    level_adu: tuple[float, float]
    saturated_fraction: float
    unlike_fraction: float
    unlike_sigma: float
    gain: float
    read_noise: float


@dataclass(frozen=True)
class FrameVerdict:
    """What was measured of one frame, and why it was left out: a reason code, None where it was not."""

    level: float
    reason: str | None = None


def prepare(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Take a raw calibration frame through the steps of `PREPARE`; it stays in ADU."""
    for step in PREPARE:
        frame = step(frame, calibrations, settings)
    return frame


def judge_frames(frames: Sequence[Frame], settings: MasterSettings) -> list[FrameVerdict]:
    """Judge prepared frames: each by itself first, then the remaining against each other.

    Parameters
    ----------
    frames : sequence of Frame
        ADU, prepared; all of one kind, filter and quadrant.

    Returns
    -------
    list of FrameVerdict
        One a frame, in order.
    """
    verdicts = [_by_itself(frame, settings) for frame in frames]
    for _ in range(len(frames)):
        accepted = [i for i, verdict in enumerate(verdicts) if verdict.reason is None]
        if len(accepted) < 3:
            break
        worst = _most_unlike(frames, verdicts, accepted, settings)
        if worst is None:
            break
        verdicts[worst] = replace(verdicts[worst], reason="unlike_its_fellows")
    return verdicts


def _by_itself(frame: Frame, settings: MasterSettings) -> FrameVerdict:
    usable = (frame.mask & np.uint16(MaskBit.NAN | MaskBit.DEAD)) == 0
    if not usable.any():
        return FrameVerdict(0.0, "unreadable_file")
    level = float(np.median(frame.image[usable]))
    full = ((frame.mask & np.uint16(MaskBit.SATURATED)) != 0) & usable
    if full.sum() > settings.saturated_fraction * usable.sum():
        return FrameVerdict(level, "saturated")
    if settings.kind == "flat" and not settings.level_adu[0] <= level <= settings.level_adu[1]:
        return FrameVerdict(level, "level_out_of_range")
    return FrameVerdict(level)


def _scaled(image: np.ndarray, level: float, kind: str) -> np.ndarray:
    return image / np.float32(level) if kind == "flat" else image


def _most_unlike(frames, verdicts, accepted: list[int], settings: MasterSettings) -> int | None:
    """Return the accepted frame that differs most from the median of its fellows, None where none does."""
    sample = np.s_[::2, ::2] if frames[accepted[0]].image.size > 1_000_000 else np.s_[:, :]
    pile = np.stack([_scaled(frames[i].image[sample], verdicts[i].level, settings.kind) for i in accepted])
    middle = median_pile(pile)
    bad = np.zeros(middle.shape, dtype=bool)
    for i in accepted:
        bad |= frames[i].mask[sample] != 0
    if bad.all():
        return None
    worst, most = None, settings.unlike_fraction
    levels = np.array([verdicts[i].level for i in accepted])
    for k, i in enumerate(accepted):
        noise = _expected_noise(middle, verdicts[i].level, settings)
        difference = pile[k] - middle
        if settings.kind != "flat" and abs(levels[k] - np.median(levels)) < LEVEL_APART * settings.read_noise:
            difference = difference - np.median(difference[~bad])
        fraction = unlike_fraction(difference[~bad], noise[~bad], sigma=settings.unlike_sigma)
        if fraction > most:
            worst, most = i, fraction
    return worst


def unlike_fraction(difference: np.ndarray, noise: np.ndarray, *, sigma: float) -> float:
    """Return the fraction of pixels that differ by more than so many sigma."""
    return float((np.abs(difference) > sigma * noise).mean()) if difference.size else 0.0


def _expected_noise(middle: np.ndarray, level: float, settings: MasterSettings) -> np.ndarray:
    """Return the noise that a frame of this level should have about the median of its fellows."""
    read = settings.read_noise / settings.gain
    if settings.kind != "flat":
        return np.sqrt(np.maximum(middle, 0) / settings.gain + read**2)
    photons = np.maximum(middle, 0) / (level * settings.gain) + (read / level) ** 2
    return np.sqrt(photons + (FLOOR["flat"] * np.maximum(middle, 0.2)) ** 2)


# --- the clipped mean --------------------------------------------------------------------------------------


@njit(cache=True)
def median_pile(pile):
    """Return the median along the first axis of a float32 pile (frames, rows, columns)."""
    frames, rows, columns = pile.shape
    out = np.empty((rows, columns), np.float32)
    values = np.empty(frames, np.float32)
    for i in range(rows):
        for j in range(columns):
            for k in range(frames):
                values[k] = pile[k, i, j]
            out[i, j] = median_of(values, frames)
    return out


@njit(cache=True)
def _clipped_mean(pile, bad, least_sigma, clip):
    """Return mean, variance of the mean and number of values used, clipped by 1.4826 MAD about the median."""
    frames, rows, columns = pile.shape
    mean = np.zeros((rows, columns), np.float32)
    variance = np.zeros((rows, columns), np.float32)
    used = np.zeros((rows, columns), np.int16)
    values, apart = np.empty(frames, np.float32), np.empty(frames, np.float32)
    for i in range(rows):
        for j in range(columns):
            count = 0
            for k in range(frames):
                if not bad[k, i, j]:
                    values[count] = pile[k, i, j]
                    count += 1
            if count == 0:
                continue
            middle = median_of(values, count)
            for k in range(count):
                apart[k] = abs(values[k] - middle)
            limit = clip * max(np.float32(1.4826) * median_of(apart, count), least_sigma[i, j])
            total, kept = 0.0, 0
            for k in range(count):
                if abs(values[k] - middle) <= limit:
                    total += values[k]
                    kept += 1
            centre = total / kept
            squares = 0.0
            for k in range(count):
                if abs(values[k] - middle) <= limit:
                    squares += (values[k] - centre) ** 2
            mean[i, j] = centre
            variance[i, j] = squares / max(kept - 1, 1) / kept
            used[i, j] = kept
    return mean, variance, used


def build_master(frames: Sequence[Frame], exposures_s: Sequence[float], settings: MasterSettings) -> Frame:
    """Build a master of accepted frames.

    Parameters
    ----------
    frames : sequence of Frame
        ADU, prepared; a dark's and a flat's have the bias subtracted.
    exposures_s : sequence of float
        Exposure times; they matter for a dark.

    Returns
    -------
    Frame
        Bias in ADU, dark in electrons per second, flat relative to its median. ``variance`` is the uncertainty
        squared. ``header``: NFRAMES, LEVEL (ADU) and NOISE (rms of one frame's pixel, in the master's unit).
    """
    levels = [float(np.median(f.image[f.mask == 0])) if (f.mask == 0).any() else 0.0 for f in frames]
    scales = np.array(_scales(levels, exposures_s, settings), dtype=np.float32)
    pile = np.stack([frame.image * scale for frame, scale in zip(frames, scales, strict=True)])
    bad = np.stack([frame.mask != 0 for frame in frames])
    typical = float(np.median(scales))
    level = max(float(np.median(levels)), 0.0)
    noise = np.sqrt(level / settings.gain + (settings.read_noise / settings.gain) ** 2) * typical
    least = np.full(pile.shape[1:], 0.5 * noise, dtype=np.float32)
    mean, variance, used = _clipped_mean(pile, bad, least, np.float32(CLIP))
    # A scatter of few frames is itself uncertain: no pixel is known better than half of the usual.
    usual = float(np.median(variance[used > 1])) if (used > 1).any() else float(noise**2)
    variance = np.maximum(variance, np.float32(0.5 * usual))
    mask = np.zeros(mean.shape, dtype=np.uint16)
    mask[used == 0] |= np.uint16(MaskBit.DEAD)
    if settings.kind == "flat":
        middle = float(np.median(mean[used > 0])) if (used > 0).any() else 1.0
        mean, variance = mean / np.float32(middle), variance / np.float32(middle**2)
        mask |= _response_flags(mean, used)
    else:
        mask |= _noisy_flags(mean, variance, used, usual, len(frames), settings.kind == "dark")
    header = {"NFRAMES": len(frames), "LEVEL": level, "NOISE": float(np.sqrt(usual * max(len(frames), 1)))}
    return Frame(mean, mask, variance, header=header)


def _scales(levels: Sequence[float], exposures_s: Sequence[float], settings: MasterSettings) -> list[float]:
    if settings.kind == "flat":
        return [1 / max(level, 1e-3) for level in levels]
    if settings.kind == "dark":
        return [settings.gain / max(seconds, 1e-3) for seconds in exposures_s]
    return [1.0] * len(levels)


def _response_flags(flat: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return the flags of pixels that respond unlike their neighbours, or not at all."""
    mask = np.zeros(flat.shape, dtype=np.uint16)
    around = median_filter(flat, size=(1, 15), mode="nearest")
    relative = flat / np.maximum(around, np.float32(DEAD))
    mask[relative < LOW] |= np.uint16(MaskBit.LOW_RESPONSIVITY)
    mask[relative > HIGH] |= np.uint16(MaskBit.HIGH_RESPONSIVITY)
    mask[(flat < DEAD) | (used == 0)] |= np.uint16(MaskBit.DEAD)
    return mask


def _noisy_flags(
    mean: np.ndarray, variance: np.ndarray, used: np.ndarray, usual: float, frames: int, hot: bool
) -> np.ndarray:
    """Return the flags of pixels that scatter more than others or, in a dark, stand far above their neighbours."""
    mask = np.zeros(mean.shape, dtype=np.uint16)
    if frames >= 5:
        mask[(variance > NOISY**2 * usual) & (used > 0)] |= np.uint16(MaskBit.NOISY)
    if not hot:
        return mask
    # A column that stands out as a whole is the master's to correct; only what stands out of it is bad.
    apart = mean - median_filter(mean, size=(15, 1), mode="nearest")
    spread = 1.4826 * float(np.median(np.abs(apart))) + 1e-12
    single = np.sqrt(usual * frames)
    mask[np.abs(apart) > max(20 * spread, 10 * single)] |= np.uint16(MaskBit.NOISY)
    return mask
