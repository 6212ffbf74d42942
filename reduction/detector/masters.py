"""Master bias, dark and flat: which frames deserve to be in one, and their clipped mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numba import njit

from reduction.array_types import Float32Array, Int16Array, Int64Array, Uint16Array
from reduction.detector.twilight import off_the_ramp
from reduction.image.frame import Frame, read_frame
from reduction.image.mask import MaskBit
from reduction.image.median import median_of
from reduction.problems import Problem, Unusable

__all__ = [
    "FrameVerdict",
    "MasterSettings",
    "build_master",
    "judge_frames",
    "read_master",
    "unlike_fraction",
]

CLIP = 4.0  # sigma about the median
FLOOR = {"bias": 0.0, "dark": 0.0, "flat": 0.01}  # relative differences below this say nothing against a frame
LEVEL_APART = 0.5  # of the read noise: a closed shutter's level may wander by so much
NOISY = 6.0  # times the master's usual scatter
LOW, HIGH, DEAD = 0.5, 1.5, 0.05  # response against its neighbours'; of the median
SAMPLE = 4  # levels and likenesses are taken from every fourth row and column of a large frame
LARGE = 1_000_000  # pixels
BAND = 64  # rows of all frames that are combined at a time: they stay in the processor's cache
BLOCK, ALONG = 32, 7  # size of a block of the coarse image; neighbours on each side along a row or column


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
    dark_current : tuple of float
        Plausible median dark currents, electrons a second.
    ramp_tolerance : float
        Fraction by which a twilight flat may go against the others' fall or rise of light.
    """

    kind: str
    level_adu: tuple[float, float]
    saturated_fraction: float
    unlike_fraction: float
    unlike_sigma: float
    gain: float
    read_noise: float
    dark_current: tuple[float, float] = (-np.inf, np.inf)
    ramp_tolerance: float = 0.05


@dataclass(frozen=True)
class FrameVerdict:
    """What was measured of one frame, and why it was left out, None where it was not."""

    level: float
    reason: Problem | None = None


def read_master(path: Path, name: str) -> Frame:
    """Read a master; `name` is what a message calls it.

    Raises
    ------
    Unusable
        ``unreadable_file`` where it does not read or a pixel has no value: one would spoil all about it.
    """
    master = read_frame(path)
    finite = np.isfinite(master.image)
    if not finite.all():
        lost = int(finite.size - np.count_nonzero(finite))
        raise Unusable(Problem.UNREADABLE_FILE, f"{path.name}: {lost} pixels of the {name} have no value")
    return master


def judge_frames(
    frames: Sequence[Frame],
    settings: MasterSettings,
    exposures_s: Sequence[float] | None = None,
    times_s: Sequence[float] | None = None,
) -> list[FrameVerdict]:
    """Judge prepared frames: each by itself first, flats by the twilight's light, then all against each other.

    Parameters
    ----------
    frames : sequence of Frame
        ADU, prepared; all of one kind, filter and quadrant.
    exposures_s : sequence of float, optional
        Exposure times; a dark's current is held against its bounds where they are known.
    times_s : sequence of float, optional
        When the shutter opened, in seconds since any moment, NaN where it is not known: a flat's light is then held
        against the others' as twilight falls or rises.

    Returns
    -------
    list of FrameVerdict
        One a frame, in order.
    """
    times = exposures_s if exposures_s is not None else [0.0] * len(frames)
    verdicts = [_by_itself(frame, settings, seconds) for frame, seconds in zip(frames, times, strict=True)]
    if settings.kind == "flat" and times_s is not None:
        verdicts = _along_the_ramp(verdicts, times, times_s, settings)
    for _ in range(len(frames)):
        accepted = [i for i, verdict in enumerate(verdicts) if verdict.reason is None]
        if len(accepted) < 3:
            break
        worst = _most_unlike(frames, verdicts, accepted, settings)
        if worst is None:
            break
        verdicts[worst] = replace(verdicts[worst], reason=Problem.UNLIKE_ITS_FELLOWS)
    return verdicts


def _by_itself(frame: Frame, settings: MasterSettings, seconds: float) -> FrameVerdict:
    image, mask = _sample(frame.image), _sample(frame.mask)
    usable = (mask & np.uint16(MaskBit.NAN | MaskBit.DEAD)) == 0
    if not usable.any():
        return FrameVerdict(0.0, Problem.UNREADABLE_FILE)
    level = float(np.median(image[usable]))
    full = ((mask & np.uint16(MaskBit.SATURATED)) != 0) & usable
    if full.sum() > settings.saturated_fraction * usable.sum():
        return FrameVerdict(level, Problem.SATURATED)
    if settings.kind == "flat" and not settings.level_adu[0] <= level <= settings.level_adu[1]:
        return FrameVerdict(level, Problem.LEVEL_OUT_OF_RANGE)
    if settings.kind == "dark" and seconds > 0:
        current = level * settings.gain / seconds
        if not settings.dark_current[0] <= current <= settings.dark_current[1]:
            return FrameVerdict(level, Problem.LEVEL_OUT_OF_RANGE)
    return FrameVerdict(level)


def _along_the_ramp(
    verdicts: list[FrameVerdict], exposures_s: Sequence[float], times_s: Sequence[float], settings: MasterSettings
) -> list[FrameVerdict]:
    """Leave out the flats whose light does not follow the twilight."""
    some = [i for i, verdict in enumerate(verdicts) if verdict.reason is None and exposures_s[i] > 0]
    light = [verdicts[i].level / exposures_s[i] for i in some]
    off = off_the_ramp(light, [times_s[i] for i in some], settings.ramp_tolerance)
    left_out = {i for i, is_off in zip(some, off, strict=True) if is_off}
    return [replace(v, reason=Problem.OFF_THE_RAMP) if i in left_out else v for i, v in enumerate(verdicts)]


def _sample(image: np.ndarray) -> np.ndarray:
    """Return every fourth row and column of a large image, all of a small one."""
    return image[::SAMPLE, ::SAMPLE] if image.size > LARGE else image


def _thin(image: np.ndarray) -> np.ndarray:
    """Return half of the rows and columns of `_sample`: enough where the median of many frames is taken next."""
    return image[:: 2 * SAMPLE, :: 2 * SAMPLE] if image.size > LARGE else image


def _scaled(image: np.ndarray, level: float, kind: str) -> np.ndarray:
    return image / np.float32(level) if kind == "flat" else image


def _most_unlike(
    frames: Sequence[Frame], verdicts: Sequence[FrameVerdict], accepted: list[int], settings: MasterSettings
) -> int | None:
    """Return the accepted frame that differs most from the median of its fellows, None where none does."""
    pile = np.stack([_scaled(_sample(frames[i].image), verdicts[i].level, settings.kind) for i in accepted])
    middle = median_pile(pile)
    bad = np.zeros(middle.shape, dtype=bool)
    for i in accepted:
        bad |= _sample(frames[i].mask) != 0
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
        noise2 = np.maximum(middle, 0) / settings.gain + read**2
    else:
        photons = np.maximum(middle, 0) / (level * settings.gain) + (read / level) ** 2
        noise2 = photons + (FLOOR["flat"] * np.maximum(middle, 0.2)) ** 2
    noise: np.ndarray = np.sqrt(noise2)
    return noise


# --- the clipped mean --------------------------------------------------------------------------------------


@njit(cache=True)
def median_pile(pile: Float32Array) -> Float32Array:
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
def _clipped_mean(
    pile: Float32Array, bad: Uint16Array, noise: np.float32, clip: np.float32, mean: Float32Array,
    variance: Float32Array, used: Int16Array,
) -> None:  # fmt: skip
    """Fill mean, variance of the mean and number of values used.

    Where no value lies farther from the mean than `clip` times the noise, nothing is rejected; elsewhere what lies
    farther from the median than that, or than `clip` times 1.4826 MAD where this is more.

    Parameters
    ----------
    pile, bad : ndarray of float32 and uint16, shape (frames, rows, columns)
    noise : float32
        What one value usually has.
    mean, variance, used : ndarray of float32, float32, int16, shape (rows, columns)
        Filled.
    """
    frames, rows, columns = pile.shape
    total, squares = np.empty(columns, np.float32), np.empty(columns, np.float32)
    most, spoilt = np.empty(columns, np.float32), np.empty(columns, np.uint16)
    values, apart = np.empty(frames, np.float32), np.empty(frames, np.float32)
    limit, share = clip * noise, np.float32(1.0 / frames)
    for i in range(rows):
        total[:], squares[:], most[:], spoilt[:] = 0, 0, 0, 0
        for k in range(frames):
            for j in range(columns):
                total[j] += pile[k, i, j]
                spoilt[j] |= bad[k, i, j]
        for k in range(frames):
            for j in range(columns):
                step = pile[k, i, j] - total[j] * share
                squares[j] += step * step
                most[j] = max(most[j], abs(step))
        for j in range(columns):
            if spoilt[j] == 0 and most[j] <= limit:
                mean[i, j] = total[j] * share
                variance[i, j] = squares[j] * share / max(frames - 1, 1)
                used[i, j] = frames
            else:
                _clipped_pixel(pile, bad, i, j, limit, clip, values, apart, mean, variance, used)


@njit(cache=True)
def _clipped_pixel(
    pile: Float32Array, bad: Uint16Array, i: int, j: int, least: np.float32, clip: np.float32, values: Float32Array,
    apart: Float32Array, mean: Float32Array, variance: Float32Array, used: Int16Array,
) -> None:  # fmt: skip
    count = 0
    for k in range(pile.shape[0]):
        if bad[k, i, j] == 0:
            values[count] = pile[k, i, j]
            count += 1
    mean[i, j], variance[i, j], used[i, j] = 0, 0, 0
    if count == 0:
        return
    middle = median_of(values, count)
    for k in range(count):
        apart[k] = abs(values[k] - middle)
    limit = max(clip * np.float32(1.4826) * median_of(apart, count), least)
    total, kept = 0.0, 0
    for k in range(count):
        if abs(values[k] - middle) <= limit:
            total += values[k]
            kept += 1
    centre, squares = total / kept, 0.0
    for k in range(count):
        if abs(values[k] - middle) <= limit:
            squares += (values[k] - centre) ** 2
    mean[i, j], variance[i, j], used[i, j] = centre, squares / max(kept - 1, 1) / kept, kept


def _combined(
    frames: Sequence[Frame], scales: np.ndarray, noise: float
) -> tuple[Float32Array, Float32Array, Int16Array]:
    """Return the clipped mean of scaled frames, the variance of that mean and how many values it has, by bands."""
    rows, columns = frames[0].shape
    mean, variance = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    used = np.empty((rows, columns), np.int16)
    pile = np.empty((len(frames), BAND, columns), np.float32)
    bad = np.empty((len(frames), BAND, columns), np.uint16)
    for top in range(0, rows, BAND):
        band = slice(top, min(top + BAND, rows))
        height = band.stop - top
        for k, (frame, scale) in enumerate(zip(frames, scales, strict=True)):
            np.multiply(frame.image[band], scale, out=pile[k, :height])
            bad[k, :height] = frame.mask[band]
        _clipped_mean(
            pile[:, :height], bad[:, :height], np.float32(noise), np.float32(CLIP),
            mean[band], variance[band], used[band],
        )  # fmt: skip
    return mean, variance, used


def _usual_noise(frames: Sequence[Frame], scales: np.ndarray, expected: float) -> float:
    """Return the noise of one frame's pixel: what neighbours in time show, or what is expected where there is one."""
    found = []
    for k in range(len(frames) - 1):
        good = (_thin(frames[k].mask) | _thin(frames[k + 1].mask)) == 0
        if good.any():
            apart = (_thin(frames[k].image) * scales[k] - _thin(frames[k + 1].image) * scales[k + 1])[good]
            apart = apart - np.median(apart)
            found.append(1.4826 * float(np.median(np.abs(apart))) / np.sqrt(2))
    return max(float(np.median(found)), 0.3 * expected) if found else expected


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
        squared. ``header``: NFRAMES, LEVEL (ADU), NOISE (rms of one frame's pixel, in the master's unit) and RAWGAIN
        (electrons per ADU that it was made with).
    """
    levels = [_level(frame) for frame in frames]
    scales = np.array(_scales(levels, exposures_s, settings), dtype=np.float32)
    typical = float(np.median(scales))
    level = max(float(np.median(levels)), 0.0)
    noise = np.sqrt(level / settings.gain + (settings.read_noise / settings.gain) ** 2) * typical
    mean, variance, used = _combined(frames, scales, _usual_noise(frames, scales, float(noise)))
    # A scatter of few frames is itself uncertain: no pixel is known better than half of the usual.
    several = _sample(used) > 1
    usual = float(np.median(_sample(variance)[several])) if several.any() else float(noise**2)
    variance = np.maximum(variance, np.float32(0.5 * usual))
    mask = np.zeros(mean.shape, dtype=np.uint16)
    mask[used == 0] |= np.uint16(MaskBit.DEAD)
    if settings.kind == "flat":
        some = _sample(used) > 0
        middle = float(np.median(_sample(mean)[some])) if some.any() else 1.0
        mean, variance = mean / np.float32(middle), variance / np.float32(middle**2)
        mask |= _response_flags(mean, used)
    else:
        mask |= _noisy_flags(mean, variance, used, usual, len(frames), settings.kind == "dark")
    header = {
        "NFRAMES": len(frames),
        "LEVEL": level,
        "NOISE": float(np.sqrt(usual * max(len(frames), 1))),
        "RAWGAIN": settings.gain,
    }
    return Frame(mean, mask, variance, header=header)


def _scales(levels: Sequence[float], exposures_s: Sequence[float], settings: MasterSettings) -> list[float]:
    if settings.kind == "flat":
        return [1 / max(level, 1e-3) for level in levels]
    if settings.kind == "dark":
        return [settings.gain / max(seconds, 1e-3) for seconds in exposures_s]
    return [1.0] * len(levels)


def _level(frame: Frame) -> float:
    good = _sample(frame.mask) == 0
    return float(np.median(_sample(frame.image)[good])) if good.any() else 0.0


def _coarse(image: np.ndarray) -> np.ndarray:
    """Return the median of each block of 32x32 pixels, repeated to the image's shape."""
    edges_y, edges_x = (np.linspace(0, size, max(size // BLOCK, 1) + 1).astype(int) for size in image.shape)
    medians = _block_medians(image, edges_y, edges_x)
    return np.repeat(np.repeat(medians, np.diff(edges_y), axis=0), np.diff(edges_x), axis=1)


@njit(cache=True)
def _block_medians(image: Float32Array, edges_y: Int64Array, edges_x: Int64Array) -> Float32Array:
    """Return the median of every second row and column of each block between the edges."""
    medians = np.empty((len(edges_y) - 1, len(edges_x) - 1), np.float32)
    for i in range(medians.shape[0]):
        for j in range(medians.shape[1]):
            medians[i, j] = np.median(image[edges_y[i] : edges_y[i + 1] : 2, edges_x[j] : edges_x[j + 1] : 2])
    return medians


@njit(cache=True)
def _medians_along(image: Float32Array, rows: Int64Array, columns: Int64Array, down: bool) -> Float32Array:
    """Return for each listed pixel the median of fifteen along its row, or along its column where `down`."""
    out, values = np.empty(len(rows), np.float32), np.empty(2 * ALONG + 1, np.float32)
    for k in range(len(rows)):
        centre, size = (rows[k], image.shape[0]) if down else (columns[k], image.shape[1])
        for step in range(-ALONG, ALONG + 1):
            place = min(max(centre + step, 0), size - 1)
            values[step + ALONG] = image[place, columns[k]] if down else image[rows[k], place]
        out[k] = median_of(values, 2 * ALONG + 1)
    return out


def _response_flags(flat: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return the flags of pixels that respond unlike their neighbours, or not at all."""
    mask = np.zeros(flat.shape, dtype=np.uint16)
    rough = flat / np.maximum(_coarse(flat), np.float32(DEAD))
    rows, columns = np.nonzero((rough < (1 + LOW) / 2) | (rough > (1 + HIGH) / 2))  # only they may be far off
    relative = flat[rows, columns] / np.maximum(_medians_along(flat, rows, columns, False), np.float32(DEAD))
    low, high = relative < LOW, relative > HIGH
    mask[rows[low], columns[low]] |= np.uint16(MaskBit.LOW_RESPONSIVITY)
    mask[rows[high], columns[high]] |= np.uint16(MaskBit.HIGH_RESPONSIVITY)
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
    some = np.arange(0, mean.shape[1], max(mean.shape[1] // 128, 1))
    row, column = (index.ravel() for index in np.meshgrid(np.arange(mean.shape[0]), some, indexing="ij"))
    spread = 1.4826 * float(np.median(np.abs(mean[row, column] - _medians_along(mean, row, column, True)))) + 1e-12
    limit = max(20 * spread, 10 * float(np.sqrt(usual * frames)))
    row, column = np.nonzero(np.abs(mean - _coarse(mean)) > 0.5 * limit)
    far = np.abs(mean[row, column] - _medians_along(mean, row, column, True)) > limit
    mask[row[far], column[far]] |= np.uint16(MaskBit.NOISY)
    return mask
