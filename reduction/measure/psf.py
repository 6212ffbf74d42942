"""The point-spread function: an elliptical Moffat profile whose shape varies over the field, and what it misses.

The profile is Moffat (1969, A&A 3, 455). Its width and ellipticity are low-order polynomials of the position;
what the stars show beyond it is kept as one correction on a grid finer than the pixels. Both describe the
*effective* PSF of Anderson & King (2000, PASP 112, 1360): what a pixel collects, so that nothing has to be
integrated over pixels when it is evaluated.
"""

import math
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numba import njit

from reduction.array_types import Float64Array

__all__ = ["PsfModel", "build_psf"]

OVERSAMPLING = 2
EXPONENT_FROM = 25  # stars whose exponent is fitted
LINEAR_FROM, QUADRATIC_FROM = 12, 80  # stars that a variation of this order needs


@dataclass(frozen=True)
class PsfModel:
    """The PSF of one image.

    Parameters
    ----------
    beta : float
        Moffat's exponent, one for the image.
    coefficients : ndarray of float64, shape (3, terms)
        Polynomials of log(width in pixels), e1 and e2 in the scaled position (X, Y): 1, X, Y, X^2, XY, Y^2.
    correction : ndarray of float64, shape (2 h + 1, 2 h + 1)
        Added to the profile of unit flux, on nodes `1 / OVERSAMPLING` of a pixel apart around the centre.
    image_shape : tuple of int
        Rows and columns of the image, which scale the position to -1 .. 1.
    radius : int
        Of a stamp in pixels: stamps have 2 radius + 1 pixels on a side.
    stars : int
        How many stars it was made from.
    """

    beta: float
    coefficients: np.ndarray
    correction: np.ndarray
    image_shape: tuple[int, int]
    radius: int
    stars: int = 0

    def shape_at(self, x: float | np.ndarray, y: float | np.ndarray) -> np.ndarray:
        """Return log(width), e1 and e2 at 0-based pixel positions, shape (3, ...)."""
        return np.tensordot(self.coefficients, _terms(x, y, self.image_shape, self.coefficients.shape[1]), 1)

    def evaluate(self, x: float, y: float, *, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        """Return the PSF of position (x, y) as a stamp.

        Parameters
        ----------
        x, y : float
            0-based pixels of the image.
        dx, dy : float
            Where the star's centre lies from the centre of the stamp's middle pixel.

        Returns
        -------
        ndarray of float64, shape (2 radius + 1, 2 radius + 1)
            Its sum is 1 for a star at the middle of the pixel.
        """
        log_width, e1, e2 = self.shape_at(float(x), float(y))
        stamp = np.empty((2 * self.radius + 1, 2 * self.radius + 1))
        fill_stamp(stamp, 0.0, 0.0, log_width, e1, e2, self.beta, self.correction)
        total: np.float64 = stamp.sum()
        if dx or dy:
            fill_stamp(stamp, dx, dy, log_width, e1, e2, self.beta, self.correction)
        return stamp / total

    def fwhm(self, x: float | None = None, y: float | None = None) -> float:
        """Return the full width at half maximum in pixels, at the image's centre by default."""
        log_width = self.shape_at(*self._position(x, y))[0]
        return float(2 * math.exp(log_width) * math.sqrt(2 ** (1 / self.beta) - 1))

    def elongation(self, x: float | None = None, y: float | None = None) -> float:
        """Return the ratio of long to short axis, at the image's centre by default."""
        _, e1, e2 = self.shape_at(*self._position(x, y))
        size = math.hypot(e1, e2)
        return float(math.sqrt(1 + size**2) + size)

    def noise_area(self) -> float:
        """Return 1 / sum(PSF^2) at the image's centre: how many pixels' noise a fitted flux has."""
        return float(1 / (self.evaluate(*self._position(None, None)) ** 2).sum())

    def _position(self, x: float | None, y: float | None) -> tuple[float, float]:
        rows, columns = self.image_shape
        return (columns - 1) / 2 if x is None else x, (rows - 1) / 2 if y is None else y

    def to_hdu(self) -> fits.ImageHDU:
        """Return the model as a FITS extension called ``PSF``; `from_hdu` reads it."""
        hdu = fits.ImageHDU(self.correction.astype(np.float32), name="PSF")
        hdu.header["BETA"] = (self.beta, "Moffat exponent")
        hdu.header["RADIUS"] = (self.radius, "of a stamp, px")
        hdu.header["NSTARS"] = self.stars
        hdu.header["IMROWS"], hdu.header["IMCOLS"] = self.image_shape
        hdu.header["NTERMS"] = self.coefficients.shape[1]
        for i, row in enumerate(self.coefficients):
            for j, value in enumerate(row):
                hdu.header[f"SHAPE{i}_{j}"] = float(value)
        return hdu

    @classmethod
    def from_hdu(cls, hdu: fits.ImageHDU) -> "PsfModel":
        """Return the model that `to_hdu` stored."""
        header = hdu.header
        coefficients = [[header[f"SHAPE{i}_{j}"] for j in range(header["NTERMS"])] for i in range(3)]
        return cls(
            header["BETA"],
            np.array(coefficients, dtype=float),
            np.array(hdu.data, dtype=np.float64),
            (header["IMROWS"], header["IMCOLS"]),
            header["RADIUS"],
            header["NSTARS"],
        )


def _terms(x: float | np.ndarray, y: float | np.ndarray, shape: tuple[int, int], number: int) -> np.ndarray:
    """Return the first `number` polynomial terms of the scaled position, shape (number, ...)."""
    rows, columns = shape
    u = 2 * np.asarray(x, dtype=float) / max(columns - 1, 1) - 1
    v = 2 * np.asarray(y, dtype=float) / max(rows - 1, 1) - 1
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v][:number])


# --- evaluation --------------------------------------------------------------------------------------------


@njit(cache=True)
def _cubic(t: float) -> tuple[float, float, float, float]:
    """Return the four weights of Catmull-Rom interpolation at fraction `t`."""
    t2, t3 = t * t, t * t * t
    return (
        0.5 * (-t3 + 2 * t2 - t),
        0.5 * (3 * t3 - 5 * t2 + 2),
        0.5 * (-3 * t3 + 4 * t2 + t),
        0.5 * (t3 - t2),
    )


@njit(cache=True)
def fill_stamp(
    stamp: Float64Array, dx: float, dy: float, log_width: float, e1: float, e2: float, beta: float,
    correction: Float64Array,
) -> None:  # fmt: skip
    """Fill a stamp with the profile of unit flux, its centre (dx, dy) from the middle pixel's.

    The correction's fraction of a node is the same for all pixels of a stamp (nodes are a fraction of a pixel
    apart), so that its sixteen weights are worked out once.
    """
    side = stamp.shape[0]
    middle = side // 2
    half = correction.shape[0] // 2
    width2 = math.exp(2 * log_width)
    q = math.sqrt(1 + e1 * e1 + e2 * e2)
    a, b, c = (q + e1) / width2, (q - e1) / width2, e2 / width2
    peak = (beta - 1) / (math.pi * width2)
    base_x, base_y = math.floor(-dx * OVERSAMPLING), math.floor(-dy * OVERSAMPLING)
    weights_x = _cubic(-dx * OVERSAMPLING - base_x)
    weights_y = _cubic(-dy * OVERSAMPLING - base_y)
    for i in range(side):
        v = i - middle - dy
        row = (i - middle) * OVERSAMPLING + int(base_y) + half
        for j in range(side):
            u = j - middle - dx
            # m ** -beta, in two thirds of its time
            value = peak * math.exp(-beta * math.log(1 + a * u * u + 2 * c * u * v + b * v * v))
            column = (j - middle) * OVERSAMPLING + int(base_x) + half
            if 1 <= row < 2 * half - 1 and 1 <= column < 2 * half - 1:
                for k in range(4):
                    line = 0.0
                    for m in range(4):
                        line += weights_x[m] * correction[row - 1 + k, column - 1 + m]
                    value += weights_y[k] * line
            stamp[i, j] = value


# --- the profile of each star ------------------------------------------------------------------------------

FLUX, X, Y, LOG_WIDTH, E1, E2, SKY, BETA = range(8)


@njit(cache=True)
def _profile(parameters: Float64Array, u: float, v: float, gradient: Float64Array) -> float:
    """Return one star's model at (u, v) from the stamp's middle and fill its derivatives by the parameters."""
    flux, beta = parameters[FLUX], parameters[BETA]
    e1, e2 = parameters[E1], parameters[E2]
    width2 = math.exp(2 * parameters[LOG_WIDTH])
    q = math.sqrt(1 + e1 * e1 + e2 * e2)
    a, b, c = (q + e1) / width2, (q - e1) / width2, e2 / width2
    u, v = u - parameters[X], v - parameters[Y]
    m = 1 + a * u * u + 2 * c * u * v + b * v * v
    log_m = math.log(m)
    unit = (beta - 1) / (math.pi * width2) * math.exp(-beta * log_m)
    slope = beta * flux * unit / m
    gradient[FLUX] = unit
    gradient[X] = 2 * slope * (a * u + c * v)
    gradient[Y] = 2 * slope * (b * v + c * u)
    gradient[LOG_WIDTH] = 2 * slope * (m - 1) - 2 * flux * unit
    gradient[E1] = -slope * ((e1 / q + 1) * u * u + (e1 / q - 1) * v * v) / width2
    gradient[E2] = -slope * (e2 / q * (u * u + v * v) + 2 * u * v) / width2
    gradient[SKY] = 1.0
    gradient[BETA] = flux * unit * (1 / (beta - 1) - log_m)
    model: float = flux * unit + parameters[SKY]
    return model


@njit(cache=True)
def _sum_squares(
    parameters: Float64Array, data: Float64Array, weight: Float64Array, free: int, normal: Float64Array,
    right: Float64Array,
) -> float:  # fmt: skip
    """Return chi square of a star's stamp and fill the normal equations of its free parameters."""
    middle = data.shape[0] // 2
    gradient = np.empty(8)
    normal[:] = 0.0
    right[:] = 0.0
    total = 0.0
    for i in range(data.shape[0]):
        for j in range(data.shape[1]):
            w = weight[i, j]
            if w <= 0:
                continue
            residual = data[i, j] - _profile(parameters, j - middle, i - middle, gradient)
            total += w * residual * residual
            for m in range(free):
                right[m] += w * residual * gradient[m]
                for n in range(m + 1):
                    normal[m, n] += w * gradient[m] * gradient[n]
    for m in range(free):
        for n in range(m + 1, free):
            normal[m, n] = normal[n, m]
    return total


@njit(cache=True)
def solve_into(system: Float64Array, right: Float64Array, result: Float64Array) -> None:
    """Add the solution of a small symmetric positive system to the front of `result`, by Cholesky in place."""
    n = len(right)
    for j in range(n):
        for k in range(j):
            for i in range(j, n):
                system[i, j] -= system[i, k] * system[j, k]
        pivot = math.sqrt(max(system[j, j], 1e-300))
        for i in range(j, n):
            system[i, j] /= pivot
    step = right.copy()
    for i in range(n):
        for k in range(i):
            step[i] -= system[i, k] * step[k]
        step[i] /= system[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            step[i] -= system[k, i] * step[k]
        step[i] /= system[i, i]
        result[i] += step[i]


@njit(cache=True)
def _fit_star(data: Float64Array, weight: Float64Array, parameters: Float64Array, free: int) -> float:
    """Fit the first `free` parameters to one stamp by Levenberg-Marquardt, in place; return chi square."""
    normal, right = np.zeros((free, free)), np.zeros(free)
    new_normal, new_right = np.zeros((free, free)), np.zeros(free)
    chi = _sum_squares(parameters, data, weight, free, normal, right)
    damping = 1e-3
    for _ in range(40):
        system = normal.copy()
        for m in range(free):
            system[m, m] = normal[m, m] * (1 + damping) + 1e-30
        trial = parameters.copy()
        solve_into(system, right, trial)
        valid = abs(trial[X]) < 3 and abs(trial[Y]) < 3 and abs(trial[LOG_WIDTH]) < 3 and 1.2 < trial[BETA] < 30
        new_chi = _sum_squares(trial, data, weight, free, new_normal, new_right) if valid else np.inf
        if new_chi < chi:
            small = chi - new_chi < 1e-4 * chi
            parameters[:] = trial
            normal[:], right[:] = new_normal, new_right
            chi = new_chi
            damping = max(damping / 5, 1e-9)
            if small:
                break
        else:
            damping *= 6
            if damping > 1e6:
                break
    return chi


@njit(cache=True)
def _fit_stars(stamps: Float64Array, weights: Float64Array, starts: Float64Array, free: int) -> Float64Array:
    """Fit every star; return chi square by degree of freedom. `starts` (stars, 8) takes the fits."""
    quality = np.empty(len(stamps))
    for k in range(len(stamps)):
        used = (weights[k] > 0).sum() - free
        if used < 5:
            quality[k] = np.inf
            continue
        quality[k] = _fit_star(stamps[k], weights[k], starts[k], free) / used
    return quality


# --- building ----------------------------------------------------------------------------------------------


def build_psf(
    image: np.ndarray, variance: np.ndarray, bad: np.ndarray, x: np.ndarray, y: np.ndarray, *, fwhm: float
) -> PsfModel | None:
    """Build the PSF of an image from its stars.

    Parameters
    ----------
    image, variance : ndarray of float, shape (rows, columns)
        Background subtracted, in electrons; the variance includes the stars' own noise.
    bad : ndarray of bool, same shape
        Pixels not to use.
    x, y : ndarray of float
        0-based positions of isolated, unsaturated stars, best first.
    fwhm : float
        A first guess in pixels.

    Returns
    -------
    PsfModel or None
        None where no star could be fitted.
    """
    radius = int(np.clip(math.ceil(3.5 * fwhm), 7, 20))
    stamps, weights, kept = _cut(image, variance, bad, x, y, radius)
    if not len(stamps):
        return None
    x, y = x[kept], y[kept]
    fits_, good = _profiles(stamps, weights, x, y, fwhm)
    if not good.any():
        return None
    beta = float(fits_[0, BETA])
    coefficients, good = _vary(fits_, good, x, y, image.shape)
    model = PsfModel(beta, coefficients, np.zeros((9, 9)), image.shape, radius, int(good.sum()))
    if good.sum() < 5:
        return model
    fitted = math.ceil(2.5 * fwhm) * OVERSAMPLING
    chosen = np.flatnonzero(good)
    shapes = np.ascontiguousarray(model.shape_at(x[chosen], y[chosen]).T)
    correction = np.zeros((2 * fitted + 1, 2 * fitted + 1))
    for _ in range(3):
        update = _mean_residual(stamps[chosen], weights[chosen], fits_[chosen], shapes, beta, correction)
        correction = correction + _tame(update)
    return PsfModel(beta, coefficients, correction, image.shape, radius, len(chosen))


def _cut(
    image: np.ndarray, variance: np.ndarray, bad: np.ndarray, x: np.ndarray, y: np.ndarray, radius: int
) -> tuple[Float64Array, Float64Array, np.ndarray]:
    """Return stamps, weights (stars, side, side) and the indices of those stars that lie inside."""
    side = 2 * radius + 1
    inside = (x > radius) & (y > radius) & (x < image.shape[1] - radius - 1) & (y < image.shape[0] - radius - 1)
    kept = np.flatnonzero(inside)
    stamps = np.empty((len(kept), side, side))
    weights = np.empty_like(stamps)
    for k, i in enumerate(kept):
        row, column = round(y[i]) - radius, round(x[i]) - radius
        cut = np.s_[row : row + side, column : column + side]
        stamps[k] = image[cut]
        # A floor on the noise: no model holds to better than 2% of a bright star's own pixels.
        noise2 = variance[cut] + (0.02 * np.maximum(stamps[k], 0)) ** 2
        weights[k] = np.where(bad[cut] | ~np.isfinite(stamps[k]) | ~(noise2 > 0), 0, 1 / np.maximum(noise2, 1e-20))
        stamps[k][weights[k] == 0] = 0
    return stamps, weights, kept


def _profiles(
    stamps: Float64Array, weights: Float64Array, x: np.ndarray, y: np.ndarray, fwhm: float
) -> tuple[Float64Array, np.ndarray]:
    """Fit Moffat profiles: with a free exponent first, then with the median one for all."""
    starts = np.zeros((len(stamps), 8))
    middle = stamps.shape[1] // 2
    core = stamps[:, middle - 2 : middle + 3, middle - 2 : middle + 3].sum(axis=(1, 2))
    starts[:, FLUX] = np.maximum(core * 1.5, 1)
    starts[:, X], starts[:, Y] = x - np.round(x), y - np.round(y)
    starts[:, BETA] = 3.0
    starts[:, LOG_WIDTH] = math.log(fwhm / 2 / math.sqrt(2 ** (1 / 3) - 1))
    free = starts[:EXPONENT_FROM].copy()  # the brightest say enough
    quality = _fit_stars(stamps[:EXPONENT_FROM], weights[:EXPONENT_FROM], free, 8)
    usable = np.isfinite(quality) & (free[:, FLUX] > 0)
    beta = float(np.median(free[usable, BETA])) if usable.any() else 3.0
    starts[:, BETA] = np.clip(beta, 1.8, 15.0)
    starts[:, LOG_WIDTH] = math.log(fwhm / 2 / math.sqrt(2 ** (1 / starts[0, BETA]) - 1))
    quality = _fit_stars(stamps, weights, starts, 7)
    good = np.isfinite(quality) & (starts[:, FLUX] > 0) & (np.hypot(starts[:, E1], starts[:, E2]) < 1)
    if good.sum() > 4:
        good &= quality < 4 * np.median(quality[good])
    return starts, good


def _vary(
    fits_: np.ndarray, good: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the polynomials of width and ellipticity over the field, clipping the stars that differ."""
    values = fits_[:, [LOG_WIDTH, E1, E2]]
    for _ in range(5):
        number = 6 if good.sum() >= QUADRATIC_FROM else 3 if good.sum() >= LINEAR_FROM else 1
        terms = _terms(x, y, shape, number)
        if number == 1:
            coefficients = np.median(values[good], axis=0)[:, None]
        else:
            coefficients = np.linalg.lstsq(terms[:, good].T, values[good], rcond=None)[0].T
        residual = np.abs(values - (coefficients @ terms).T)
        scale = 1.4826 * np.median(residual[good], axis=0) + 0.01
        keep = good & (residual < 4 * scale).all(axis=1)
        if keep.sum() == good.sum() or not keep.any():
            break
        good = keep
    return coefficients, good


@njit(cache=True)
def _mean_residual(
    stamps: Float64Array, weights: Float64Array, fits_: Float64Array, shapes: np.ndarray, beta: float,
    correction: Float64Array,
) -> Float64Array:  # fmt: skip
    """Return the weighted mean of what the stars show beyond the model, on the correction's nodes.

    A star's residual in a pixel is shared between the four nodes around it. The star's flux and place are
    fitted again against the present model, so that they do not leave a pattern of their own.
    """
    half = correction.shape[0] // 2
    total, hits = np.zeros_like(correction), np.zeros_like(correction)
    side = stamps.shape[1]
    middle = side // 2
    model = np.empty((side, side))
    for k in range(len(stamps)):
        fill_stamp(model, fits_[k, X], fits_[k, Y], shapes[k, 0], shapes[k, 1], shapes[k, 2], beta, correction)
        up, norm = 0.0, 0.0
        for i in range(side):
            for j in range(side):
                up += weights[k, i, j] * model[i, j] * (stamps[k, i, j] - fits_[k, SKY])
                norm += weights[k, i, j] * model[i, j] * model[i, j]
        if norm <= 0 or up <= 0:
            continue
        flux = up / norm
        for i in range(side):
            for j in range(side):
                u = (j - middle - fits_[k, X]) * OVERSAMPLING + half
                v = (i - middle - fits_[k, Y]) * OVERSAMPLING + half
                if weights[k, i, j] <= 0 or not (0 <= u < 2 * half and 0 <= v < 2 * half):
                    continue
                residual = (stamps[k, i, j] - fits_[k, SKY]) / flux - model[i, j]
                weight = min(weights[k, i, j] * flux * flux, 1e6)
                column, row = int(u), int(v)
                fu, fv = u - column, v - row
                for m in range(2):
                    for n in range(2):
                        share = weight * (fv if m else 1 - fv) * (fu if n else 1 - fu)
                        total[row + m, column + n] += share * residual
                        hits[row + m, column + n] += share
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] = total[i, j] / hits[i, j] if hits[i, j] > 0 else 0.0
    return total


def _tame(update: np.ndarray) -> np.ndarray:
    """Smooth a correction lightly and fade it out towards its edge."""
    padded = np.pad(update, 1, mode="edge")
    rows = 0.2 * padded[:-2] + 0.6 * padded[1:-1] + 0.2 * padded[2:]
    smooth = 0.2 * rows[:, :-2] + 0.6 * rows[:, 1:-1] + 0.2 * rows[:, 2:]
    half = update.shape[0] // 2
    axis = np.abs(np.arange(-half, half + 1)) / half
    radius = np.hypot(axis[:, None], axis[None, :])
    faded: np.ndarray = smooth * np.clip((1 - radius) / 0.3, 0, 1)
    return faded
