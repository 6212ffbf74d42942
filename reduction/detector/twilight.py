"""Twilight flats: the sky's light falls or rises steadily, and a frame that does not follow saw something else."""

from collections.abc import Sequence

import numpy as np

__all__ = ["off_the_ramp"]

AT_LEAST = 4  # frames that can show a ramp
ONE_TWILIGHT_S = 7200.0  # evening and morning lie farther apart
SPAN = 0.2  # in ln of the light; a lamp's wanders less
ORDER = 0.6  # of Kendall's rank correlation with time; below it there is no ramp


def off_the_ramp(light: Sequence[float], times_s: Sequence[float], tolerance: float) -> np.ndarray:
    """Tell which flats do not follow the twilight's fall or rise.

    A ramp is the longest row of frames, in order of time, whose light goes one way, the steadiest of equally long
    ones. Frames that show no ramp at all (a lamp's, or too few) are none of them off it; evening and morning are
    looked at apart.

    Parameters
    ----------
    light : sequence of float, one a frame
        Level divided by exposure time, positive.
    times_s : sequence of float
        When the shutter opened; NaN where it is not known.
    tolerance : float
        Fraction by which a frame may go the wrong way from the one before.

    Returns
    -------
    ndarray of bool, one a frame
    """
    level, when = np.log(np.maximum(light, 1e-12)), np.asarray(times_s, float)
    off = np.zeros(len(level), bool)
    known = np.flatnonzero(np.isfinite(when))
    ordered = known[np.argsort(when[known], kind="stable")]
    for group in np.split(ordered, np.flatnonzero(np.diff(when[ordered]) > ONE_TWILIGHT_S) + 1):
        way = _way(level[group])
        if way:
            off[group] = True
            off[group[_steady_rise(way * level[group], when[group], np.log1p(tolerance))]] = False
    return off


def _way(level: np.ndarray) -> int:
    """Return 1 for frames that get brighter in time, -1 for fainter, 0 where neither can be said."""
    if len(level) < AT_LEAST or np.ptp(level) < SPAN:
        return 0
    first, second = np.triu_indices(len(level), 1)
    correlation = float(np.mean(np.sign(level[second] - level[first])))
    return int(np.sign(correlation)) if abs(correlation) >= ORDER else 0


def _steady_rise(level: np.ndarray, when: np.ndarray, tolerance: float) -> list[int]:
    """Return the places of the longest subsequence in which none falls by more than the tolerance below the last.

    Of equally long ones it is that whose slope changes least: it leaves out the odd frame and not its neighbour.
    """
    number = len(level)
    slope = np.subtract.outer(level, level) / np.maximum(np.subtract.outer(when, when), 1.0)  # [later, earlier]
    follows = np.subtract.outer(level, level) >= -tolerance
    # by the last two places: how long, minus how rough, and the place before them
    best = {(j, k): (2, 0.0, -1) for k in range(number) for j in range(k) if follows[k, j]}
    for j, k in sorted(best, key=lambda pair: pair[1]):
        for i in range(j):
            if (i, j) in best:
                length, rough, _ = best[i, j]
                best[j, k] = max(best[j, k], (length + 1, rough - (slope[k, j] - slope[j, i]) ** 2, i))
    if not best:
        return [0]
    j, k = max(best, key=lambda pair: best[pair][:2])
    chosen = [k]
    while j >= 0:
        chosen.append(j)
        j, k = best[j, k][2], j
    return chosen[::-1]
