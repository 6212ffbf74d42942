"""PSF photometry of all sources of an image, by batched least squares, and aperture photometry beside it."""

import math
from dataclasses import dataclass, replace

import numpy as np
import sep
from numba import njit

from reduction.array_types import BoolArray, Float32Array, Float64Array
from reduction.image.mask import FATAL
from reduction.measure.pairing import have_neighbour
from reduction.measure.psf import PsfModel, fill_stamp, solve_into

__all__ = ["Photometry", "fit_sources", "limiting_flux"]

ROUNDS = 3
CORE = 1.4  # of the FWHM: the radius within which a source is fitted
WHOLE = 2.5  # that within which a lone source's flux is taken; 2% of a star's light is outside (Moffat, beta 3)
GROWTH_STEP = 0.1  # of the log width, for the wider template that tells galaxies from stars


@dataclass(frozen=True)
class Photometry:
    """Measurements of sources; arrays of one length, electrons and 0-based pixels.

    `growth` is how much wider than the PSF a source is (log width); `chi2` is by degree of freedom.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    chi2: np.ndarray
    growth: np.ndarray
    growth_err: np.ndarray
    settled: np.ndarray
    aperture_flux: np.ndarray
    aperture_flux_err: np.ndarray

    def scaled(self, factor: np.ndarray) -> "Photometry":
        """Return the same with every flux and its error multiplied by a factor, one a source."""
        names = ("flux", "flux_err", "aperture_flux", "aperture_flux_err")
        return replace(self, **{name: getattr(self, name) * factor for name in names})


def fit_sources(
    image: np.ndarray,
    sky_variance: np.ndarray,
    mask: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    psf: PsfModel,
    *,
    aperture_radius_px: float,
) -> Photometry:
    """Fit the PSF to every source, neighbours subtracted.

    Sources are fitted one after the other, brightest first, on the image less the present models of all others;
    three rounds settle groups of neighbours; who has none needs but one. A source is fitted by its core, where
    neighbours disturb least; where there are none, its flux is from all pixels that say something of it.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Background subtracted, electrons.
    sky_variance : ndarray of float32, same shape
        Noise of empty pixels, squared; the sources' own photon noise is added from their models.
    mask : ndarray of uint16
        Pixels with a fatal bit have no weight.
    x, y : ndarray of float
        Detected positions, brightest first.
    psf : PsfModel
    aperture_radius_px : float
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    bad = (mask & np.uint16(FATAL)) != 0
    shapes = np.ascontiguousarray(psf.shape_at(x, y).T) if len(x) else np.empty((0, 3))
    radius = min(max(2.5, CORE * psf.fwhm()), psf.radius)
    reach = min(max(2.5, WHOLE * psf.fwhm()), psf.radius)
    out = np.zeros((len(x), 8))
    residual = np.array(image, dtype=np.float32)
    crowded = have_neighbour(x, y, psf.radius + radius + 1)  # only they need more than one round
    _fit_all(
        residual, sky_variance, bad, x, y, crowded, shapes, psf.beta, psf.correction, psf.radius, radius, reach, out
    )
    flux, error, _ = sep.sum_circle(
        np.ascontiguousarray(image, dtype=np.float32), out[:, 0], out[:, 1], aperture_radius_px,
        err=np.sqrt(sky_variance), mask=bad, gain=1.0,
    )  # fmt: skip
    return Photometry(
        x=out[:, 0].copy(), y=out[:, 1].copy(), flux=out[:, 2].copy(), flux_err=out[:, 3].copy(),
        chi2=out[:, 4].copy(), growth=out[:, 5].copy(), growth_err=out[:, 6].copy(), settled=out[:, 7] > 0,
        aperture_flux=np.asarray(flux), aperture_flux_err=np.asarray(error),
    )  # fmt: skip


def limiting_flux(sky_variance: np.ndarray, mask: np.ndarray, psf: PsfModel, *, sigma: float = 5.0) -> float:
    """Return the flux whose PSF fit has this significance on the image's median sky noise, in electrons."""
    good = (mask & np.uint16(FATAL)) == 0
    values = sky_variance[::4, ::4][good[::4, ::4]]
    if not values.size:
        return float("nan")
    return float(sigma * math.sqrt(float(np.median(values)) * psf.noise_area()))


@njit(cache=True)
def _ellipse(shape: Float64Array) -> tuple[float, float, float]:
    """Return a, b and c of the profile's argument ``1 + a u^2 + 2 c u v + b v^2``."""
    width2 = math.exp(2 * shape[0])
    q = math.sqrt(1 + shape[1] * shape[1] + shape[2] * shape[2])
    return (q + shape[1]) / width2, (q - shape[1]) / width2, shape[2] / width2


@njit(cache=True)
def _add(image: Float32Array, stamp: Float64Array, row: int, column: int, flux: float) -> None:
    """Add a stamp times a flux to an image, cut at its edge."""
    radius = stamp.shape[0] // 2
    for i in range(max(row - radius, 0), min(row + radius + 1, image.shape[0])):
        for j in range(max(column - radius, 0), min(column + radius + 1, image.shape[1])):
            image[i, j] += np.float32(flux * stamp[i - row + radius, j - column + radius])


@njit(cache=True)
def _normalised(
    stamp: Float64Array, dx: float, dy: float, shape: Float64Array, beta: float, correction: Float64Array, norm: float
) -> None:
    fill_stamp(stamp, dx, dy, shape[0], shape[1], shape[2], beta, correction)
    stamp /= norm


@njit(cache=True)
def _solve_place(
    residual: Float32Array, variance: Float32Array, bad: BoolArray, stamp: Float64Array, row: int, column: int,
    dx: float, dy: float, shape: Float64Array, beta: float, flux: float, radius: float, free: int,
    result: Float64Array,
) -> None:  # fmt: skip
    """Fit flux (and place, where `free` is 3) once about the present values.

    Fills `result` with flux, steps of x and y, the flux's variance, chi square and its degrees of freedom.
    """
    # The sums are plain numbers and not arrays: thousands of stars with tens of pixels are fitted several times.
    a, b, c = _ellipse(shape)
    middle = stamp.shape[0] // 2
    reach = math.ceil(radius)
    pp = px = py = xx = xy = yy = pr = xr = yr = chi = 0.0
    used = 0
    for i in range(max(row - reach, 0), min(row + reach + 1, residual.shape[0])):
        for j in range(max(column - reach, 0), min(column + reach + 1, residual.shape[1])):
            u, v = j - column - dx, i - row - dy
            if bad[i, j] or u * u + v * v > radius * radius:
                continue
            p = stamp[i - row + middle, j - column + middle]
            weight = 1 / (variance[i, j] + max(flux, 0.0) * max(p, 0.0))
            difference = residual[i, j] - flux * p
            chi += weight * difference * difference
            used += 1
            pp += weight * p * p
            pr += weight * p * difference
            if free == 3:
                # the derivatives of the model by the place of its centre, by those of the log profile
                slope = 2 * beta * flux * p / (1 + a * u * u + 2 * c * u * v + b * v * v)
                x, y = slope * (a * u + c * v), slope * (b * v + c * u)
                px += weight * p * x
                py += weight * p * y
                xx += weight * x * x
                xy += weight * x * y
                yy += weight * y * y
                xr += weight * x * difference
                yr += weight * y * difference
    result[:] = 0.0
    result[4], result[5] = chi, used
    if used < free + 1 or pp <= 0:
        result[0], result[3] = flux, np.inf
        return
    result[3] = 1 / pp
    if free == 1:
        result[0] = flux + pr / pp
        return
    normal = np.array([[pp, px, py], [px, xx, xy], [py, xy, yy]])
    for m in range(3):
        normal[m, m] *= 1 + 1e-9
        normal[m, m] += 1e-20
    step = np.zeros(3)
    solve_into(normal, np.array([pr, xr, yr]), step)
    result[0], result[1], result[2] = flux + step[0], step[1], step[2]


@njit(cache=True)
def _growth(
    residual: Float32Array, variance: Float32Array, bad: BoolArray, stamp: Float64Array, wide: Float64Array, row: int,
    column: int, dx: float, dy: float, flux: float, radius: float,
) -> tuple[float, float]:  # fmt: skip
    """Return how much wider than the PSF the source is, and the error: flux and width fitted together."""
    middle = stamp.shape[0] // 2
    reach = math.ceil(radius)
    pp = pd = dd = pr = dr = 0.0
    for i in range(max(row - reach, 0), min(row + reach + 1, residual.shape[0])):
        for j in range(max(column - reach, 0), min(column + reach + 1, residual.shape[1])):
            u, v = j - column - dx, i - row - dy
            if bad[i, j] or u * u + v * v > radius * radius:
                continue
            p = stamp[i - row + middle, j - column + middle]
            d = (wide[i - row + middle, j - column + middle] - p) / GROWTH_STEP
            weight = 1 / (variance[i, j] + max(flux, 0.0) * max(p, 0.0))
            pp += weight * p * p
            pd += weight * p * d
            dd += weight * d * d
            pr += weight * p * residual[i, j]
            dr += weight * d * residual[i, j]
    determinant = pp * dd - pd * pd
    if determinant <= 0:
        return 0.0, np.inf
    amplitude = (pr * dd - dr * pd) / determinant
    slope = (pp * dr - pd * pr) / determinant
    if amplitude <= 0:
        return 0.0, np.inf
    return slope / amplitude, math.sqrt(pp / determinant) / amplitude


@njit(cache=True)
def _fit_all(
    residual: Float32Array, variance: Float32Array, bad: BoolArray, x: Float64Array, y: Float64Array,
    crowded: BoolArray, shapes: Float64Array, beta: float, correction: Float64Array, stamp_radius: int, radius: float,
    reach: float, out: Float64Array,
) -> None:  # fmt: skip
    """Fit all sources in turn; `out` (sources, 8) takes x, y, flux, its error, chi2, growth, its error, settled.

    Only the core, which the fit of the place looks at, is evaluated at each step; the whole stamp for the flux.
    """
    side, inner = 2 * stamp_radius + 1, 2 * math.ceil(radius) + 1
    stamp, core, wide = np.empty((side, side)), np.empty((inner, inner)), np.empty((inner, inner))
    norms, result, last = np.empty(len(x)), np.empty(6), np.empty(6)
    for k in range(len(x)):
        fill_stamp(stamp, 0.0, 0.0, shapes[k, 0], shapes[k, 1], shapes[k, 2], beta, correction)
        norms[k] = stamp.sum()
        out[k, 0], out[k, 1], out[k, 2] = x[k], y[k], 0.0
    for turn in range(ROUNDS):
        for k in range(len(x)):
            if turn and not crowded[k]:
                continue
            shape = shapes[k]
            row, column = round(out[k, 1]), round(out[k, 0])
            dx, dy, flux, settled = out[k, 0] - column, out[k, 1] - row, out[k, 2], 1.0
            _normalised(core, dx, dy, shape, beta, correction, norms[k])
            if flux != 0.0:
                _normalised(stamp, dx, dy, shape, beta, correction, norms[k])
                _add(residual, stamp, row, column, flux)
            else:
                _solve_place(residual, variance, bad, core, row, column, dx, dy, shape, beta, 0.0, radius, 1, result)
                flux = result[0]
            for _ in range(3 if turn else 8):
                free = 3 if flux > 0 else 1
                _solve_place(
                    residual, variance, bad, core, row, column, dx, dy, shape, beta, flux, radius, free, result
                )
                flux = result[0]
                step = max(abs(result[1]), abs(result[2]))
                if step > 0.5:
                    result[1] *= 0.5 / step
                    result[2] *= 0.5 / step
                dx += result[1]
                dy += result[2]
                if abs(column + dx - x[k]) > 1.5 or abs(row + dy - y[k]) > 1.5:
                    dx, dy, settled = x[k] - column, y[k] - row, 0.0
                    _normalised(core, dx, dy, shape, beta, correction, norms[k])
                    break
                _normalised(core, dx, dy, shape, beta, correction, norms[k])
                if step < 1e-3:
                    break
            _solve_place(residual, variance, bad, core, row, column, dx, dy, shape, beta, flux, radius, 1, result)
            flux = result[0]
            if turn == ROUNDS - 1 or not crowded[k]:
                fill_stamp(wide, dx, dy, shape[0] + GROWTH_STEP, shape[1], shape[2], beta, correction)
                wide /= norms[k]
                out[k, 5], out[k, 6] = _growth(residual, variance, bad, core, wide, row, column, dx, dy, flux, radius)
            _normalised(stamp, dx, dy, shape, beta, correction, norms[k])
            variance_of_flux = result[3]
            if not crowded[k]:
                _solve_place(residual, variance, bad, stamp, row, column, dx, dy, shape, beta, flux, reach, 1, last)
                flux, variance_of_flux = last[0], last[3]
            _add(residual, stamp, row, column, -flux)
            out[k, 0], out[k, 1], out[k, 2] = column + dx, row + dy, flux
            out[k, 3] = math.sqrt(variance_of_flux)
            out[k, 4] = result[4] / max(result[5] - 3, 1)
            out[k, 7] = settled if result[5] > 4 else 0.0
