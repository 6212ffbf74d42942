"""Where the image lies on the sky: its stars against a catalogue, from a first guess that may be off by an arcminute.

The first guess may be shifted, turned by a degree and wrong in scale by two percent. For each of a few turns and
scales every pair of a bright star and a bright catalogue entry votes for the shift that would bring one onto the
other, and the true shift gets one vote a star. Then the matches determine a polynomial correction to the first guess:
of few bright stars within a wide radius first, of ever more within an ever smaller one. Both together are written as
one TAN-SIP solution (Shupe et al. 2005, ASP Conf. Ser. 347, 491).
"""

import math
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from reduction.measure.pairing import nearest_within
from reduction.problems import Problem, Unusable

__all__ = ["Astrometry", "commonest_shift", "fit_tan_sip", "pixel_scale_arcsec", "refine_wcs", "tangent_wcs"]

BRIGHT = 80  # stars of the image that vote
CATALOGUE_BRIGHT = 5  # times as many entries, by area, as stars: some are saturated in the image
TURN_DEG, SCALE = 1.3, 0.02  # how far the first guess may be turned, and wrong in scale
SPACINGS = 0.3  # of the entries' typical distance: the radius within which a match is likely to be the right one
SURE, BY_CHANCE = 1e-9, 0.05  # how often chance would give as many: no more trials needed; no match
TRIED = 1e6  # turns, scales and shifts that chance had to make matches by
FIRST_STARS, MORE_STARS = 60, 2.5  # that are matched at first, and by how many times more in each turn
LINEAR_FROM, QUADRATIC_FROM, CUBIC_FROM = 6, 25, 150  # matches that a correction of this order needs

Coefficients = dict[tuple[int, int], np.ndarray]  # of a polynomial in u and v, (i, j) -> (A, B)


@dataclass(frozen=True)
class Astrometry:
    """A solution.

    Parameters
    ----------
    wcs : WCS
        TAN-SIP, 0-based pixels to degrees.
    stars, entries : ndarray of int
        Indices of matched detections and catalogue entries.
    rms_arcsec : float
        Of one axis, of the matched stars brighter than the median.
    offset_arcsec : float
        How far the first guess was off at the image's centre.
    order : int
        Of the correction: 0 a shift, 1 linear, 2 quadratic, 3 cubic.
    """

    wcs: WCS
    stars: np.ndarray
    entries: np.ndarray
    rms_arcsec: float
    offset_arcsec: float
    order: int


def tangent_wcs(
    ra_deg: float,
    dec_deg: float,
    shape: tuple[int, int],
    *,
    scale_arcsec: float,
    parity: int = -1,
    rotation_deg: float = 0.0,
    offset_arcsec: tuple[float, float] = (0.0, 0.0),
) -> WCS:
    """Return the WCS that a pointing gives: the image's centre `offset_arcsec` from the boresight.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Where the boresight points.
    shape : tuple of int
        Rows and columns.
    scale_arcsec : float
        Of a pixel.
    parity : int
        -1 where east is left when north is up, 1 where it is right.
    rotation_deg : float
        Position angle of the image's y axis, from north through east; 0 where north is up.
    offset_arcsec : tuple of float
        Of the image's centre from the boresight, along the image's (x, y).
    """
    header = fits.Header()
    scale = scale_arcsec / 3600
    centre = ((shape[1] + 1) / 2, (shape[0] + 1) / 2)
    for i, (kind, value) in enumerate((("RA---TAN", ra_deg), ("DEC--TAN", dec_deg)), start=1):
        header[f"CTYPE{i}"], header[f"CRVAL{i}"], header[f"CUNIT{i}"] = kind, value, "deg"
        header[f"CRPIX{i}"] = centre[i - 1] - offset_arcsec[i - 1] / scale_arcsec
    north, east = scale * math.cos(math.radians(rotation_deg)), scale * math.sin(math.radians(rotation_deg))
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = parity * north, east, -parity * east, north
    header["RADESYS"] = "ICRS"
    return WCS(header)


def pixel_scale_arcsec(wcs: WCS, shape: tuple[int, int]) -> float:
    """Return the size of a pixel at the image's centre."""
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    ra, dec = wcs.all_pix2world([x, x + 1, x], [y, y, y + 1], 0)
    xi, eta = _project(ra, dec, float(ra[0]), float(dec[0]))
    return float(np.sqrt(abs(xi[1] * eta[2] - xi[2] * eta[1])) * 3600)


def refine_wcs(
    guess: WCS,
    shape: tuple[int, int],
    x: np.ndarray,
    y: np.ndarray,
    ra: np.ndarray,
    dec: np.ndarray,
    *,
    match_radius_arcsec: float,
    pointing_error_arcsec: float,
) -> Astrometry:
    """Match an image's stars to a catalogue and refine its WCS.

    Parameters
    ----------
    guess : WCS
        The first guess; its distortion is kept.
    shape : tuple of int
        Rows and columns.
    x, y : ndarray of float
        0-based positions of detected stars, brightest first.
    ra, dec : ndarray of float
        The catalogue in degrees, brightest first.
    match_radius_arcsec : float
        Of the final matches, at most.
    pointing_error_arcsec : float
        How far off the first guess may be.

    Raises
    ------
    Unusable
        ``too_few_stars`` or ``astrometry_failed``.
    """
    scale = pixel_scale_arcsec(guess, shape)
    reach = pointing_error_arcsec / scale
    corner = np.hypot(*shape) / 2 * (np.radians(TURN_DEG) + SCALE)
    entries, cat_x, cat_y = _in_view(guess, shape, ra, dec, 1.2 * reach + corner)
    if len(x) < 3 or len(entries) < 3:
        raise Unusable(
            Problem.TOO_FEW_STARS, f"{len(x)} stars and {len(entries)} catalogue entries in view; 3 are needed"
        )
    correction = _vote(x, y, cat_x, cat_y, reach, shape)
    correction, order, stars, matched, radius = _matched(
        x, y, cat_x, cat_y, correction, shape, max(match_radius_arcsec / scale, 1.0)
    )
    _check_chance(len(stars), len(x), len(entries), shape, radius)
    wcs = _compose(guess, correction, shape)
    sky_ra, sky_dec = wcs.all_pix2world(x[stars], y[stars], 0)
    found = entries[matched]
    rms = _rms(sky_ra, sky_dec, ra[found], dec[found])
    middle = _moved(np.array([(shape[1] - 1) / 2]), np.array([(shape[0] - 1) / 2]), correction, shape)
    offset = np.hypot(middle[0][0] - (shape[1] - 1) / 2, middle[1][0] - (shape[0] - 1) / 2) * scale
    return Astrometry(wcs, stars, found, rms, float(offset), order)


def _in_view(
    guess: WCS, shape: tuple[int, int], ra: np.ndarray, dec: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the entries whose predicted pixels lie within the margin of the image, and those pixels."""
    rows, columns = shape
    ra0, dec0 = (float(v) for v in guess.all_pix2world((columns - 1) / 2, (rows - 1) / 2, 0))
    xi, eta = _project(ra, dec, ra0, dec0)
    reach = (np.hypot(rows, columns) / 2 + margin) * pixel_scale_arcsec(guess, shape) / 3600 * 1.05
    near = np.flatnonzero(np.hypot(xi, eta) < reach)
    if not len(near):
        return near, np.empty(0), np.empty(0)
    try:
        x, y = guess.all_world2pix(ra[near], dec[near], 0, quiet=True)
    except ValueError as error:
        raise Unusable(Problem.ASTROMETRY_FAILED, f"the header's WCS cannot be inverted: {error}") from error
    inside = (x > -margin) & (y > -margin) & (x < columns - 1 + margin) & (y < rows - 1 + margin)
    return near[inside], x[inside], y[inside]


def _vote(
    x: np.ndarray, y: np.ndarray, cat_x: np.ndarray, cat_y: np.ndarray, reach: float, shape: tuple[int, int]
) -> np.ndarray:
    """Return the turn, scale and shift that bring most bright stars onto bright entries, as a linear correction.

    Turns and scales are tried from none on outwards, until one gets votes that leave no doubt.
    """
    size = float(np.clip(max(shape) / 384, 2.0, 8.0))  # of a bin, pixels
    x, y = x[:BRIGHT], y[:BRIGHT]
    area = (np.ptp(cat_x) + 1) * (np.ptp(cat_y) + 1) / (shape[0] * shape[1])
    entries = slice(0, int(CATALOGUE_BRIGHT * len(x) * max(area, 1.0)))
    cat_x, cat_y = cat_x[entries], cat_y[entries]
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    best, least = None, np.inf
    for number, (turn, stretch) in enumerate(_trials(size, shape), start=1):
        cos, sin = stretch * np.cos(turn), stretch * np.sin(turn)
        u, v = x - middle[0], y - middle[1]
        votes, chance, shift = commonest_shift(
            cat_x[None, :] - (cos * u - sin * v + middle[0])[:, None],
            cat_y[None, :] - (sin * u + cos * v + middle[1])[:, None],
            reach, size,
        )  # fmt: skip
        if chance * number < least:
            linear = [[shift[0], (cos - 1) * middle[0], -sin * middle[1]]]
            linear += [[shift[1], sin * middle[0], (cos - 1) * middle[1]]]
            best, least = np.array(linear), chance * number
        if votes > 0.25 * len(x) and least < SURE:
            break
    if best is None or least > BY_CHANCE:
        raise Unusable(
            Problem.ASTROMETRY_FAILED, "no turn, scale and shift brings more stars onto entries than chance"
        )
    return best


def _trials(size: float, shape: tuple[int, int]) -> list[tuple[float, float]]:
    """Return turns (radians) and scales to try, nearest to none first; neighbours differ by a bin at the edge."""
    step = 2 * size / max(shape)
    turns = _symmetric(step, np.radians(TURN_DEG))
    scales = 1 + _symmetric(step, SCALE)
    return sorted(((t, s) for t in turns for s in scales), key=lambda trial: np.hypot(trial[0], trial[1] - 1))


def _symmetric(step: float, most: float) -> np.ndarray:
    count = int(np.ceil(most / step))
    return np.arange(-count, count + 1) * step


def commonest_shift(
    shift_x: np.ndarray, shift_y: np.ndarray, reach: float, size: float
) -> tuple[int, float, tuple[float, float]]:
    """Return the votes of the most wanted shift, how many shifts chance would give as many, and the shift.

    Parameters
    ----------
    shift_x, shift_y : ndarray of float
        The shift that each pair of a star and an entry asks for, pixels.
    reach, size : float
        How large a shift may be, and the side of a bin, pixels.
    """
    near = (np.abs(shift_x) <= reach) & (np.abs(shift_y) <= reach)
    shift_x, shift_y = shift_x[near], shift_y[near]
    if len(shift_x) < 3:
        return 0, np.inf, (0.0, 0.0)
    bins = int(np.ceil(2 * reach / size)) + 1
    low = -bins * size / 2
    column, row = ((shift_x - low) / size).astype(int), ((shift_y - low) / size).astype(int)
    votes = np.bincount(column * bins + row, minlength=bins * bins).reshape(bins, bins)
    padded = np.pad(votes, 1)
    box = np.sum([padded[i : i + bins, j : j + bins] for i in range(3) for j in range(3)], axis=0)
    centres = low + (np.arange(bins) + 0.5) * size
    # Among equal peaks the one nearest to the first guess wins.
    distance = np.hypot(centres[:, None], centres[None, :])
    best = np.unravel_index(np.argmax(box - 1e-3 * distance / reach), box.shape)
    there = (np.abs(shift_x - centres[best[0]]) < 1.5 * size) & (np.abs(shift_y - centres[best[1]]) < 1.5 * size)
    shift = float(np.median(shift_x[there])), float(np.median(shift_y[there]))
    chance = at_least_by_chance(int(box[best]), 9 * len(shift_x) / bins**2) * bins**2
    return int(box[best]), chance if box[best] >= 3 else np.inf, shift


def _matched(
    x: np.ndarray, y: np.ndarray, cat_x: np.ndarray, cat_y: np.ndarray, correction: np.ndarray,
    shape: tuple[int, int], final: float,
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray, float]:  # fmt: skip
    """Match ever more stars within an ever smaller radius; return correction, order, pairs and the last radius."""
    density = len(cat_x) / ((np.ptp(cat_x) + 1) * (np.ptp(cat_y) + 1))
    share = min(len(cat_x) / max(len(x), 1), 1e3)  # entries a star
    count, order = FIRST_STARS, 0
    radius, last = np.inf, False
    while True:
        last = count >= len(x)
        used = slice(0, count)
        entries = slice(0, len(cat_x) if last else int(max(2, share) * count))
        spacing = 1 / np.sqrt(density * min(entries.stop, len(cat_x)) / len(cat_x))
        radius = min(radius, max(SPACINGS * spacing, final))
        for _ in range(3):
            moved = _moved(x[used], y[used], correction, shape)
            stars, matched = _pairs(*moved, cat_x[entries], cat_y[entries], radius)
            if len(stars) < 3:
                raise Unusable(
                    Problem.ASTROMETRY_FAILED, f"{len(stars)} of {len(x)} stars match {len(cat_x)} entries"
                )
            correction, order, kept, scatter = _correct(x[stars], y[stars], cat_x[matched], cat_y[matched], shape)
            radius = float(np.clip(6 * scatter, final, radius))
        if last and radius <= final * 1.001:
            return correction, order, stars[kept], matched[kept], radius
        if last:
            radius = max(radius / 2, final)
        count = int(count * MORE_STARS)


def _pairs(
    x: np.ndarray, y: np.ndarray, cat_x: np.ndarray, cat_y: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs that are each other's nearest within the radius."""
    nearest = nearest_within(cat_x, cat_y, x, y, radius)
    back = nearest_within(x, y, cat_x, cat_y, radius)
    mine = np.flatnonzero(nearest >= 0)
    mine = mine[back[nearest[mine]] == mine]
    return mine, nearest[mine]


def _basis(x: np.ndarray, y: np.ndarray, shape: tuple[int, int], number: int) -> np.ndarray:
    """Return the first terms of a polynomial in the scaled position, shape (number, n)."""
    u = 2 * np.asarray(x, dtype=float) / max(shape[1] - 1, 1) - 1
    v = 2 * np.asarray(y, dtype=float) / max(shape[0] - 1, 1) - 1
    terms = [u**i * v**j for total in range(4) for i, j in ((total - k, k) for k in range(total + 1))]
    return np.stack(terms[:number])


def _moved(
    x: np.ndarray, y: np.ndarray, correction: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the first guess expects what was detected at (x, y)."""
    step = correction @ _basis(x, y, shape, correction.shape[1])
    return x + step[0], y + step[1]


def _correct(
    x: np.ndarray, y: np.ndarray, cat_x: np.ndarray, cat_y: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, int, np.ndarray, float]:
    """Fit the correction to matched pairs, clipped; return it, its order, which were kept, and their scatter."""
    wanted = np.stack([cat_x - x, cat_y - y])
    kept = np.ones(len(x), dtype=bool)
    for _ in range(4):
        count = int(kept.sum())
        order = (count >= LINEAR_FROM) + (count >= QUADRATIC_FROM) + (count >= CUBIC_FROM)
        number = (order + 1) * (order + 2) // 2
        basis = _basis(x, y, shape, number)
        correction = _least_squares(basis[:, kept], wanted[:, kept])
        residual = np.hypot(*(wanted - correction @ basis))
        scale = max(float(np.median(residual[kept])) / 1.1774, 0.01)
        new = residual < 4 * scale
        if (new == kept).all() or new.sum() < 3:
            break
        kept = new
    return correction, order, kept, scale


def _least_squares(basis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return coefficients (2, terms) by the normal equations: positions are scaled to -1 .. 1, so that they serve."""
    normal = basis @ basis.T
    normal[np.diag_indices(len(basis))] += 1e-9 * np.trace(normal) / len(basis)
    return np.linalg.solve(normal, basis @ wanted.T).T


def _check_chance(matches: int, stars: int, entries: int, shape: tuple[int, int], radius: float) -> None:
    """Refuse matches that chance explains."""
    expected = min(stars, entries) * max(stars, entries) * np.pi * radius**2 / (shape[0] * shape[1])
    expected = min(expected, 0.9 * min(stars, entries))
    if matches < 0.5 * min(stars, entries) and at_least_by_chance(matches, expected) * TRIED > BY_CHANCE:
        raise Unusable(Problem.ASTROMETRY_FAILED, f"{matches} matches, where chance gives {expected:.1f}")


def at_least_by_chance(number: int, expected: float) -> float:
    """Return how probable it is that chance gives at least so many, where it gives `expected` on average (Poisson).

    The smaller of the two tails is summed, from its largest term on.
    """
    if number <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    above = number > expected
    count = number if above else number - 1
    term = math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
    total = 0.0
    while term > 1e-17 * total:
        total += term
        term *= expected / (count + 1) if above else count / expected
        count += 1 if above else -1
    return total if above else max(0.0, 1 - total)


def _compose(guess: WCS, correction: np.ndarray, shape: tuple[int, int]) -> WCS:
    """Return first guess and correction as one TAN-SIP solution, fitted on a grid of points."""
    grid_y, grid_x = np.meshgrid(np.linspace(0, shape[0] - 1, 14), np.linspace(0, shape[1] - 1, 14), indexing="ij")
    x, y = grid_x.ravel(), grid_y.ravel()
    ra, dec = guess.all_pix2world(*_moved(x, y, correction, shape), 0)
    return fit_tan_sip(x, y, ra, dec, shape)


def fit_tan_sip(
    x: np.ndarray, y: np.ndarray, ra: np.ndarray, dec: np.ndarray, shape: tuple[int, int], *, order: int = 3
) -> WCS:
    """Fit a TAN-SIP solution to positions that cover an image.

    Parameters
    ----------
    x, y : ndarray of float
        0-based pixels.
    ra, dec : ndarray of float
        Degrees.
    shape : tuple of int
        Rows and columns; the reference pixel is the middle.
    order : int
        Of the distortion.
    """
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    u, v = x - centre[0], y - centre[1]
    size = max(shape) / 2
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    design = np.stack([(u / size) ** i * (v / size) ** j for i, j in powers], axis=1)
    ra0, dec0 = _centre(x, y, ra, dec, centre)
    for _ in range(3):
        xi, eta = _project(ra, dec, ra0, dec0)
        fit = np.linalg.lstsq(design, np.stack([xi, eta], axis=1), rcond=None)[0]
        shift = fit[powers.index((0, 0))]
        ra0, dec0 = _deproject(float(shift[0]), float(shift[1]), ra0, dec0)
    table = {power: fit[k] / size ** (power[0] + power[1]) for k, power in enumerate(powers)}
    cd = np.stack([table[1, 0], table[0, 1]], axis=1)
    inverse = np.linalg.inv(cd)
    forward = {power: inverse @ value for power, value in table.items() if sum(power) > 1}
    plane = inverse @ np.stack([xi, eta]) if len(xi) else np.empty((2, 0))
    return _written(centre, ra0, dec0, cd, forward, _backward(plane, u, v, size, order), order)


def _backward(plane: np.ndarray, u: np.ndarray, v: np.ndarray, size: float, order: int) -> Coefficients:
    """Return the coefficients that lead from undistorted to real pixels, (i, j) -> (AP, BP)."""
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    design = np.stack([(plane[0] / size) ** i * (plane[1] / size) ** j for i, j in powers], axis=1)
    fit = np.linalg.lstsq(design, np.stack([u - plane[0], v - plane[1]], axis=1), rcond=None)[0]
    return {power: fit[k] / size ** sum(power) for k, power in enumerate(powers)}


def _written(
    centre: np.ndarray, ra0: float, dec0: float, cd: np.ndarray, forward: Coefficients, backward: Coefficients,
    order: int,
) -> WCS:  # fmt: skip
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    header["CRVAL1"], header["CRVAL2"] = float(ra0), float(dec0)
    header["CRPIX1"], header["CRPIX2"] = float(centre[0] + 1), float(centre[1] + 1)
    for i in (0, 1):
        for j in (0, 1):
            header[f"CD{i + 1}_{j + 1}"] = float(cd[i, j])
    header["RADESYS"] = "ICRS"
    for letter in ("A", "B", "AP", "BP"):
        header[f"{letter}_ORDER"] = order
    for (i, j), (a, b) in sorted(forward.items()):
        header[f"A_{i}_{j}"], header[f"B_{i}_{j}"] = float(a), float(b)
    for (i, j), (a, b) in sorted(backward.items()):
        header[f"AP_{i}_{j}"], header[f"BP_{i}_{j}"] = float(a), float(b)
    return WCS(header)


def _centre(x: np.ndarray, y: np.ndarray, ra: np.ndarray, dec: np.ndarray, centre: np.ndarray) -> tuple[float, float]:
    nearest = int(np.argmin(np.hypot(x - centre[0], y - centre[1])))
    return float(ra[nearest]), float(dec[nearest])


def _project(ra: np.ndarray, dec: np.ndarray, ra0: float, dec0: float) -> tuple[np.ndarray, np.ndarray]:
    """Return tangent-plane coordinates in degrees; infinite beyond 90 degrees of the tangent point."""
    a, d = np.radians(np.asarray(ra, dtype=float) - ra0), np.radians(np.asarray(dec, dtype=float))
    d0 = np.radians(dec0)
    cosine = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    with np.errstate(divide="ignore", invalid="ignore"):
        xi = np.where(cosine > 1e-6, np.cos(d) * np.sin(a) / cosine, np.inf)
        eta = np.where(cosine > 1e-6, (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)) / cosine, np.inf)
    return np.degrees(xi), np.degrees(eta)


def _deproject(xi: float, eta: float, ra0: float, dec0: float) -> tuple[float, float]:
    """Return the sky position of tangent-plane coordinates."""
    x, y, d0 = np.radians(xi), np.radians(eta), np.radians(dec0)
    ra = np.degrees(np.arctan2(x, np.cos(d0) - y * np.sin(d0))) + ra0
    dec = np.arctan2(np.sin(d0) + y * np.cos(d0), np.hypot(x, np.cos(d0) - y * np.sin(d0)))
    return float(ra % 360), float(np.degrees(dec))


def _rms(ra: np.ndarray, dec: np.ndarray, cat_ra: np.ndarray, cat_dec: np.ndarray) -> float:
    """Return the rms of one axis in arcseconds over the brighter half of the matches, outliers damped."""
    half = slice(0, max(3, len(ra) // 2))
    step_ra = (np.asarray(ra - cat_ra)[half] + 180) % 360 - 180
    east = step_ra * np.cos(np.radians(np.asarray(cat_dec)[half])) * 3600
    north = np.asarray(dec - cat_dec)[half] * 3600
    return float(np.median(np.hypot(east, north)) / 1.1774)
