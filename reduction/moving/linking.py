"""Link one night's detections into tracklets: straight motion at a constant rate over a few hours.

Two detections make a hypothesis; others that lie where it says join it, and a straight line is fitted through all.
The best hypotheses take their detections first. Nothing is assumed of orbits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from reduction.array_types import Float64Array, Int64Array

__all__ = ["Detections", "LinkSettings", "Tracklet", "link"]

_SEED_HOURS = 3.0  # between the two detections of a hypothesis, at most
_PAIRS_AT_MOST = 20_000_000
_AROUND_ARCSEC = 30.0  # where unrelated detections are counted
_FIELD_DEG = 0.3  # an exposure with a detection so near is taken to cover the place


@dataclass(frozen=True)
class Detections:
    """Detections of one night; arrays of one length.

    Parameters
    ----------
    mjd : ndarray of float64
        Of the middle of the exposure.
    ra, dec : ndarray of float64
        Degrees.
    exposure : sequence of str
        Of a tracklet at most one member comes from each exposure.
    """

    mjd: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    exposure: Sequence[str]

    def __len__(self) -> int:
        return len(self.mjd)


@dataclass(frozen=True)
class LinkSettings:
    """What counts as a tracklet.

    Parameters
    ----------
    at_least_detections : int
        At as many distinct times.
    rate_deg_per_day : (float, float)
        Least and most.
    residual_arcsec : float
        Of a member from the line, at most; their rms is at most 0.6 of it.
    chance : float
        How many tracklets like it may be expected of the unrelated detections around it.
    present : float
        In which share of the exposures of its place, from its first to its last, it must have been detected.
    """

    at_least_detections: int = 4
    rate_deg_per_day: tuple[float, float] = (0.02, 5.0)
    residual_arcsec: float = 1.0
    chance: float = 0.003
    present: float = 0.4


@dataclass(frozen=True)
class Tracklet:
    """Detections on a straight line.

    Parameters
    ----------
    members : tuple of int
        Indices of the detections, in order of time.
    residuals_arcsec : tuple of float
        Of each member from the line.
    ra_deg, dec_deg : float
        On the line, at the time of the first member.
    rate_deg_per_day, position_angle_deg : float
        Of the motion; the angle from north through east.
    residual_arcsec : float
        Root of the mean square.
    """

    members: tuple[int, ...]
    residuals_arcsec: tuple[float, ...]
    ra_deg: float
    dec_deg: float
    rate_deg_per_day: float
    position_angle_deg: float
    residual_arcsec: float


def link(detections: Detections, settings: LinkSettings | None = None) -> tuple[Tracklet, ...]:
    """Link detections into tracklets.

    Parameters
    ----------
    detections : Detections
        In any order: the result does not depend on it, but for the numbers of the members.
    settings : LinkSettings, optional

    Returns
    -------
    tuple of Tracklet
        Sorted by time, then place, of the first member. No two share a detection.

    Notes
    -----
    A detection is taken for a static source, and left out, where another lies within the residual limit so much later
    that even the slowest allowed object would have left. Work is done on the tangent plane of each
    hypothesis' first detection.
    """
    settings = settings or LinkSettings()
    if len(detections) < settings.at_least_detections:
        return ()
    exposures = np.unique(np.asarray(detections.exposure, dtype=str), return_inverse=True)[1]
    order = np.lexsort((exposures, detections.ra, detections.dec, detections.mjd))
    night = _Night(
        detections.mjd[order], np.radians(detections.ra[order]), np.radians(detections.dec[order]), exposures[order]
    )
    moving = np.flatnonzero(~_static(night, settings))
    night = _Night(night.mjd[moving], night.ra[moving], night.dec[moving], night.exposure[moving])
    found = _merge(night, _best_first(night, _hypotheses(night, settings), settings), settings)
    found = _not_by_chance(night, found, settings)
    back = order[moving]
    tracklets = [_tracklet(night, members, back) for members in found]
    return tuple(sorted(tracklets, key=lambda t: (detections.mjd[t.members[0]], t.dec_deg, t.ra_deg)))


@dataclass(frozen=True)
class _Night:
    """Detections sorted by time; radians."""

    mjd: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    exposure: np.ndarray

    def points(self) -> np.ndarray:
        """Return unit vectors, shape (detections, 3)."""
        return np.column_stack(
            [np.cos(self.dec) * np.cos(self.ra), np.cos(self.dec) * np.sin(self.ra), np.sin(self.dec)]
        )


def _chord(angle: float) -> float:
    return 2 * math.sin(min(angle, math.pi) / 2)


def _static(night: _Night, settings: LinkSettings) -> np.ndarray:
    """Return which detections have another at the same place after any mover would have left it."""
    limit = math.radians(settings.residual_arcsec / 3600)
    slowest = math.radians(settings.rate_deg_per_day[0])
    static = np.zeros(len(night.mjd), bool)
    if slowest <= 0:
        return static
    pairs = cKDTree(night.points()).query_pairs(_chord(limit), output_type="ndarray")
    if len(pairs):
        apart = np.abs(night.mjd[pairs[:, 0]] - night.mjd[pairs[:, 1]]) * slowest > 2 * limit
        static[pairs[apart].ravel()] = True
    return static


def _hypotheses(night: _Night, settings: LinkSettings) -> list[tuple[int, ...]]:
    """Return the distinct sets of detections that lie on lines through two of them."""
    if len(night.mjd) < settings.at_least_detections:
        return []
    least, most = (math.radians(rate) for rate in settings.rate_deg_per_day)
    limit = math.radians(settings.residual_arcsec / 3600)
    span = min(_SEED_HOURS / 24, float(night.mjd[-1] - night.mjd[0]))
    points = night.points()
    tree = cKDTree(points)
    reach = _chord(most * span + limit)
    if int(tree.count_neighbors(tree, reach)) // 2 > _PAIRS_AT_MOST:
        raise ValueError("too many detections lie within reach of each other to be linked: are they filtered?")
    neighbours = tree.query_ball_point(points, reach, return_sorted=True)
    found: set[tuple[int, ...]] = set()
    for first, near in enumerate(neighbours):
        later = np.array([k for k in near if night.mjd[k] > night.mjd[first]], np.int64)
        if len(later) < settings.at_least_detections - 1:
            continue
        xi, eta = _tangent_plane(night.ra[later], night.dec[later], night.ra[first], night.dec[first])
        after = night.mjd[later] - night.mjd[first]
        sets = _lines(
            xi, eta, after, night.exposure[later], least, most, limit, span, settings.at_least_detections - 1
        )
        found.update((first, *(int(later[k]) for k in row if k >= 0)) for row in sets)
    return sorted(found)


def _tangent_plane(ra: np.ndarray, dec: np.ndarray, ra0: float, dec0: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the gnomonic projection of places, in radians east and north of a point."""
    cosine = np.sin(dec) * math.sin(dec0) + np.cos(dec) * math.cos(dec0) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / cosine
    eta = (np.sin(dec) * math.cos(dec0) - np.cos(dec) * math.sin(dec0) * np.cos(ra - ra0)) / cosine
    return xi, eta


@numba.njit(cache=True, nogil=True)
def _lines(
    xi: Float64Array, eta: Float64Array, after: Float64Array, exposure: np.ndarray, least: float, most: float,
    limit: float, span: float, wanted: int,
) -> list[Int64Array]:  # fmt: skip
    """Return the members of each line from the origin through one detection; rows of indices, -1 behind the last.

    Of each exposure the nearest detection joins. The line's own uncertainty grows beyond the seed.
    """
    count = len(xi)
    rows = []
    for seed in range(count):
        time = after[seed]
        if time > span:
            continue
        speed = math.hypot(xi[seed], eta[seed]) / time
        if speed < least or speed > most:
            continue
        members = np.full(count, -1, np.int64)
        distances = np.zeros(count)
        used = 0
        for k in range(count):
            ratio = after[k] / time
            distance = math.hypot(xi[k] - xi[seed] * ratio, eta[k] - eta[seed] * ratio)
            if distance > limit * (1.5 + max(ratio - 1, 0.0)):
                continue
            rival = -1
            for m in range(used):
                if exposure[members[m]] == exposure[k]:
                    rival = m
            if rival < 0:
                members[used] = k
                distances[used] = distance
                used += 1
            elif distance < distances[rival]:
                members[rival] = k
                distances[rival] = distance
        if used >= wanted:
            rows.append(members[:used].copy())
    return rows


def _fit(night: _Night, members: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float, float], float, float]:
    """Fit straight motion; return residuals (radians), (xi, eta, their rates), and the tangent point."""
    ra0, dec0 = float(night.ra[members[0]]), float(night.dec[members[0]])
    xi, eta = _tangent_plane(night.ra[members], night.dec[members], ra0, dec0)
    time = night.mjd[members] - night.mjd[members[0]]
    design = np.stack([np.ones_like(time), time])
    normal = design @ design.T
    in_xi, in_eta = np.linalg.solve(normal, design @ xi), np.linalg.solve(normal, design @ eta)
    residual = np.hypot(xi - in_xi @ design, eta - in_eta @ design)
    return residual, (in_xi[0], in_eta[0], in_xi[1], in_eta[1]), ra0, dec0


def _settle(night: _Night, members: Sequence[int], settings: LinkSettings) -> tuple[int, ...] | None:
    """Drop members that are off the line, worst first; None where too few are left or the motion is not allowed."""
    limit = math.radians(settings.residual_arcsec / 3600)
    kept = np.array(sorted(set(members)), np.int64)
    while len(kept) >= settings.at_least_detections:
        if len(np.unique(night.mjd[kept])) < settings.at_least_detections:
            return None
        residual, motion, _, _ = _fit(night, kept)
        if residual.max() <= limit and math.sqrt((residual**2).mean()) <= 0.6 * limit:
            speed = math.degrees(math.hypot(motion[2], motion[3]))
            least, most = settings.rate_deg_per_day
            return tuple(int(k) for k in kept) if least <= speed <= most else None
        kept = np.delete(kept, int(np.argmax(residual)))
    return None


def _best_first(night: _Night, hypotheses: list[tuple[int, ...]], settings: LinkSettings) -> list[tuple[int, ...]]:
    """Let the hypotheses take their detections: those with most members first, of as many the straightest."""
    settled = {kept for members in hypotheses if (kept := _settle(night, members, settings)) is not None}

    def rank(members: tuple[int, ...]) -> tuple[float, ...]:
        residual = _fit(night, np.array(members))[0]
        return (-len(members), float((residual**2).mean()), *members)

    taken = np.zeros(len(night.mjd), bool)
    chosen = []
    for members in sorted(settled, key=rank):
        free = [k for k in members if not taken[k]]
        kept = members if len(free) == len(members) else _settle(night, free, settings)
        if kept is not None:
            taken[list(kept)] = True
            chosen.append(kept)
    return chosen


def _merge(night: _Night, chosen: list[tuple[int, ...]], settings: LinkSettings) -> list[tuple[int, ...]]:
    """Join tracklets that are parts of one longer line."""
    merged: list[tuple[int, ...]] = []
    for members in chosen:
        for number, other in enumerate(merged):
            both = tuple(sorted((*members, *other)))
            if (
                len({int(e) for e in night.exposure[list(both)]}) == len(both)
                and _settle(night, both, settings) == both
            ):
                merged[number] = both
                break
        else:
            merged.append(members)
    return merged


def _not_by_chance(night: _Night, found: list[tuple[int, ...]], settings: LinkSettings) -> list[tuple[int, ...]]:
    """Leave out tracklets that the detections around them give by chance, or that were absent too often.

    Where a difference is poor many false detections crowd together, and some of them lie on lines. The detections
    nearby that belong to no better tracklet say how likely one falls on a given line in an exposure; two
    members make the line, and the others must be more than chance brings to all the lines that can be drawn.
    """
    points = night.points()
    tree = cKDTree(points)
    around, wide = _chord(math.radians(_AROUND_ARCSEC / 3600)), _chord(math.radians(_FIELD_DEG))
    share = (1.5 * settings.residual_arcsec / _AROUND_ARCSEC) ** 2
    claimed = np.zeros(len(points), bool)
    kept = []
    for members in sorted(found, key=lambda m: (-len(m), m)):
        middle = points[members[len(members) // 2]]
        during = (night.mjd >= night.mjd[members[0]]) & (night.mjd <= night.mjd[members[-1]])
        field = np.array(sorted(tree.query_ball_point(middle, wide)))
        exposures = max(len(np.unique(night.exposure[field[during[field]]])), len(members))
        near = np.array(sorted(tree.query_ball_point(middle, around)))
        others = int((during[near] & ~claimed[near]).sum()) - int(np.isin(near, members).sum())
        likely = min((others + 1) / exposures * share, 1.0)
        lines = 0.5 * (others + 1) ** 2
        if len(members) < settings.present * exposures:
            continue
        if lines * stats.binom.sf(len(members) - 3, exposures - 2, likely) <= settings.chance:
            claimed[list(members)] = True
            kept.append(members)
    return kept


def _tracklet(night: _Night, members: tuple[int, ...], back: np.ndarray) -> Tracklet:
    """Return the tracklet of settled members; `back` leads from their numbers to the caller's."""
    residual, (xi, eta, rate_xi, rate_eta), ra0, dec0 = _fit(night, np.array(members))
    rho = math.hypot(xi, eta)
    dec = math.asin(min(max((math.sin(dec0) + eta * math.cos(dec0)) / math.sqrt(1 + rho * rho), -1.0), 1.0))
    ra = ra0 + math.atan2(xi, math.cos(dec0) - eta * math.sin(dec0))
    arcsec = np.degrees(residual) * 3600
    return Tracklet(
        members=tuple(int(back[k]) for k in members),
        residuals_arcsec=tuple(float(r) for r in arcsec),
        ra_deg=math.degrees(ra) % 360.0,
        dec_deg=math.degrees(dec),
        rate_deg_per_day=math.degrees(math.hypot(rate_xi, rate_eta)),
        position_angle_deg=math.degrees(math.atan2(rate_xi, rate_eta)) % 360.0,
        residual_arcsec=float(math.sqrt((arcsec**2).mean())),
    )
