"""The kernel that makes one image's stars look like the other's, and the background between the two.

After Alard & Lupton (1998, ApJ 503, 325) and Alard (2000, A&AS 144, 363), with the pixels of the kernel themselves as
basis (Bramich 2008, MNRAS 386, L77). Its outer pixels are bound in blocks of two by two (Albrow et al. 2009, MNRAS
397, 2099), and a weak penalty on roughness keeps the noise of few stars out of it (Becker et al. 2012, MNRAS 425,
1341). The kernel's coefficients are polynomials of the position. Noise of the image that is convolved does not make
the kernel smaller, and neither stars that vary nor places without stars turn its sum.
"""

import math
from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy import linalg

from reduction.array_types import Float32Array, Float64Array
from reduction.image.convolve import block_centres, convolve_blocks

__all__ = ["MatchingKernel", "fit_kernel", "polynomial_terms"]

_SMOOTHNESS = 1e-5  # of the data's own weight
_SYSTEMATIC = 0.01  # of a star's flux in a pixel: no star counts more than this says
_WING = 0.02  # what a kernel's pixel may have at the edge of its core; less beyond it
_VARIATION = 0.3  # of that, over the field
# Of the kernel's sum, over the field, in a term of the first degree, and less in those of higher ones. Chosen: images
# that were flattened agree to a few hundredths; a slope of 0.05 that stars do show is followed to 0.015.
_SUM_VARIATION = 0.02
# Of a detail's power, by the noise of the source image: what is as much or more of it is not put back. Measured, in
# pairs of 1024x1024 pixels with either image the sharper one and references 1 to 10 times as deep: 0.2 to 0.5 serve
# alike; with all put back, five times as many false candidates in images of 512x512.
_ATTENUATED = 0.3
_ROUNDS = 3  # at most, of leaving out stars; chosen
_RATIO_ROUNDS = 2  # chosen: the second is without the stars that vary
# Of a star's flux: by so much flux scales may differ over a field beyond what noise and the stars' scatter explain.
# Chosen, as `_SUM_VARIATION`.
_RATIO_TOLERANCE = 0.02
_STARS_PER_TERM = 6  # a polynomial with more terms than the stars allow is not fitted


def polynomial_terms(x: np.ndarray, y: np.ndarray, shape: tuple[int, int], order: int) -> np.ndarray:
    """Return products of Legendre polynomials up to a total degree, on positions scaled to -1 .. 1.

    Returns
    -------
    ndarray of float64, shape ((order + 1)(order + 2) / 2, ...)
        The constant first.
    """
    u = 2.0 * np.asarray(x, float) / max(shape[1] - 1, 1) - 1.0
    v = 2.0 * np.asarray(y, float) / max(shape[0] - 1, 1) - 1.0
    in_x, in_y = (
        np.polynomial.legendre.legvander(places.ravel(), order).T.reshape(order + 1, *places.shape)
        for places in (np.asarray(u), np.asarray(v))
    )
    return np.stack([in_x[i] * in_y[total - i] for total in range(order + 1) for i in range(total, -1, -1)])


@dataclass(frozen=True)
class MatchingKernel:
    """A kernel that varies over the field, and the background that goes with it.

    Parameters
    ----------
    components : ndarray of float64, shape (terms, 2 radius + 1, 2 radius + 1)
        The kernel's part of each polynomial term, to be convolved with.
    background : ndarray of float64, shape (background terms,)
        Of the target less the convolved source.
    order, background_order : int
    shape : (int, int)
        Of the images.
    stars : ndarray of bool
        Which of the offered stars were used in the end.
    chi_square : ndarray of float64
        By pixel, of every offered star; NaN where it was not usable.
    """

    components: np.ndarray
    background: np.ndarray
    order: int
    background_order: int
    shape: tuple[int, int]
    stars: np.ndarray
    chi_square: np.ndarray

    @property
    def radius(self) -> int:
        """Half size in pixels."""
        half: int = self.components.shape[1] // 2
        return half

    @property
    def star_chi_square(self) -> float:
        """Chi square by pixel, the median of the stars that were used."""
        return float(np.median(self.chi_square[self.stars]))

    def at(self, x: float, y: float) -> np.ndarray:
        """Return the kernel of one position (0-based), shape (2 radius + 1, 2 radius + 1)."""
        return np.tensordot(polynomial_terms(np.array(x), np.array(y), self.shape, self.order), self.components, 1)

    def flux_ratio(self, x: float | np.ndarray, y: float | np.ndarray) -> np.ndarray:
        """Return the kernel's sum at positions: target's flux of a source of 1."""
        return np.tensordot(
            self.components.sum(axis=(1, 2)),
            polynomial_terms(np.asarray(x), np.asarray(y), self.shape, self.order),
            1,
        )

    def flux_ratio_map(self) -> np.ndarray:
        """Return the kernel's sum in every pixel (float32)."""
        return _evaluate(self.components.sum(axis=(1, 2)), self.shape, self.order)

    def background_map(self) -> np.ndarray:
        """Return the background in every pixel (float32)."""
        return _evaluate(self.background, self.shape, self.background_order)

    def at_blocks(self) -> np.ndarray:
        """Return the kernel at the centre of each block of `reduction.image.convolve` (float32)."""
        x, y = block_centres(self.shape)
        columns, rows = np.meshgrid(x, y)
        terms = polynomial_terms(columns, rows, self.shape, self.order)
        return np.tensordot(terms.astype(np.float32), self.components.astype(np.float32), ((0,), (0,)))

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return an image (finite, float32) convolved with the varying kernel, without the background."""
        return convolve_blocks(image, self.at_blocks())


def _degrees(order: int) -> list[tuple[int, int]]:
    """Return the degrees in x and y of each polynomial term, in the order of `polynomial_terms`."""
    return [(i, total - i) for total in range(order + 1) for i in range(total, -1, -1)]


def _total_degree(term: int) -> int:
    """Return the degree in x and y together of a polynomial term."""
    return (math.isqrt(8 * term + 1) - 1) // 2


def _axes(shape: tuple[int, int], order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the Legendre polynomials along the columns and along the rows (float32)."""
    values = []
    for size in (shape[1], shape[0]):
        scaled = np.linspace(-1.0, 1.0, size)
        values.append(np.stack([np.polynomial.legendre.Legendre.basis(n)(scaled) for n in range(order + 1)]))
    return values[0].astype(np.float32), values[1].astype(np.float32)


def _evaluate(coefficients: np.ndarray, shape: tuple[int, int], order: int) -> np.ndarray:
    """Return a polynomial in every pixel (float32), as a product of two narrow matrices."""
    columns, rows = _axes(shape, order)
    table = np.zeros((order + 1, order + 1), np.float32)
    for (i, j), coefficient in zip(_degrees(order), coefficients, strict=True):
        table[j, i] = coefficient
    values: np.ndarray = rows.T @ (table @ columns)
    return values


def kernel_basis(radius: int, core: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the basis as a pixel-to-element index, a smoothness penalty between elements, and a ridge.

    Parameters
    ----------
    radius : int
        Half size of the kernel.
    core : int
        Half size of the part whose pixels stand alone; beyond it they are bound in blocks of two by two.

    Returns
    -------
    element : ndarray of int, shape (2 radius + 1, 2 radius + 1)
        Which element each pixel belongs to; -1 outside of the circle.
    penalty : ndarray of float64, shape (elements, elements)
        c' P c is the sum of squared differences between neighbouring pixels.
    ridge : ndarray of float64, shape (elements,)
        Inverse variance of what a kernel of sum 1 is expected to have beyond the core: it falls as stars' wings do.
    """
    axis = np.arange(-radius, radius + 1)
    dx, dy = np.meshgrid(axis, axis)
    used = np.hypot(dx, dy) <= radius + 0.5
    inner = np.maximum(np.abs(dx), np.abs(dy)) <= core

    def block(d: int) -> int:  # symmetrical about the core
        return int(np.sign(d) * (core + 1 + (abs(d) - core - 1) // 2 * 2))

    labels: dict[tuple[int, int, str], int] = {}
    element = np.full(used.shape, -1)
    for j, i in zip(*np.nonzero(used), strict=True):
        if inner[j, i]:
            key = (int(dx[j, i]), int(dy[j, i]), "core")
        else:
            # beside the core two pixels along it are bound as well
            beside_x, beside_y = abs(dx[j, i]) <= core, abs(dy[j, i]) <= core
            bx = dx[j, i] // 2 if beside_x else block(dx[j, i])
            by = dy[j, i] // 2 if beside_y else block(dy[j, i])
            key = (int(bx), int(by), "x" if beside_x else "y" if beside_y else "corner")
        element[j, i] = labels.setdefault(key, len(labels))
    penalty = np.zeros((len(labels), len(labels)))
    pairs = [(element[:, :-1], element[:, 1:]), (element[:-1], element[1:])]
    for first, second in ((a.ravel(), b.ravel()) for a, b in pairs):
        for a, b in zip(first, second, strict=True):
            if a >= 0 and b >= 0 and a != b:
                penalty[a, a] += 1
                penalty[b, b] += 1
                penalty[a, b] -= 1
                penalty[b, a] -= 1
            elif (a >= 0) != (b >= 0):  # the edge of the kernel is drawn to zero
                penalty[max(a, b), max(a, b)] += 1
    distance = np.hypot(dx, dy)
    expected = _WING * (np.maximum(distance, core) / core) ** -4
    ridge = np.bincount(
        element[used], weights=np.where(distance > core, expected**-2, 0.0)[used], minlength=len(labels)
    )
    return element, penalty, ridge


@dataclass(frozen=True)
class _Stamps:
    """Normal equations of each star for its own kernel and background."""

    matrix: np.ndarray  # (stars, elements, elements)
    vector: np.ndarray  # (stars, elements)
    cross: np.ndarray  # (stars, elements, background terms)
    background_matrix: np.ndarray  # (stars, background terms, background terms)
    background_vector: np.ndarray  # (stars, background terms)
    square: np.ndarray  # (stars,)
    noise: np.ndarray  # (stars, elements): what the source's noise adds to the matrix's diagonal
    pixels: np.ndarray  # (stars,)
    flux_ratio: float  # of all stamps together: the target's light over the source's


@numba.njit(cache=True, nogil=True)
def _fill_design(
    source: Float32Array, half: int, element: np.ndarray, root: np.ndarray, design: Float32Array
) -> None:
    """Fill the weighted design matrix of a stamp, transposed: (elements, pixels).

    `source` is the stamp with a margin of the kernel's radius.
    """
    radius = element.shape[0] // 2
    side = 2 * half + 1
    for j in range(element.shape[0]):
        for i in range(element.shape[1]):
            e = element[j, i]
            if e < 0:
                continue
            for v in range(side):
                for u in range(side):
                    design[e, v * side + u] += source[v + 2 * radius - j, u + 2 * radius - i]
    for e in range(element.max() + 1):
        for k in range(side * side):
            design[e, k] *= root[k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_noise(
    variance: Float32Array, half: int, element: np.ndarray, weight: np.ndarray, noise: Float64Array
) -> None:
    """Add to each element the variance of its row of the design matrix, weighted and summed over the stamp.

    `variance` is the stamp with a margin of the kernel's radius.
    """
    radius = element.shape[0] // 2
    side = 2 * half + 1
    for j in range(element.shape[0]):
        for i in range(element.shape[1]):
            if element[j, i] < 0:
                continue
            total = np.float32(0.0)
            for v in range(side):
                for u in range(side):
                    total += weight[v, u] * variance[v + 2 * radius - j, u + 2 * radius - i]
            noise[element[j, i]] += total


def _stamp(image: np.ndarray, row: int, column: int, half: int) -> np.ndarray:
    """Return a square about a pixel, 0 beyond the image's edge."""
    top, left = max(row - half, 0), max(column - half, 0)
    part = image[top : row + half + 1, left : column + half + 1]
    if part.shape == (2 * half + 1, 2 * half + 1):
        return part
    stamp = np.zeros((2 * half + 1, 2 * half + 1), image.dtype)
    stamp[top - row + half :, left - column + half :][: part.shape[0], : part.shape[1]] = part
    return stamp


def _span(place: int, half: int, radius: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of a stamp along one axis, drawn into the image, and which have a whole kernel about them."""
    pixels = np.arange(place - half, place + half + 1)
    return np.clip(pixels, 0, size - 1), (pixels >= radius) & (pixels < size - radius)


def _light(stamp: np.ndarray, usable: np.ndarray) -> float:
    """Return a stamp's light over the sky that is left in it, the median of its outermost usable pixels."""
    rim = usable.copy()
    rim[1:-1, 1:-1] = False
    sky = np.median(stamp[rim]) if rim.any() else 0.0
    return float((stamp[usable] - sky).sum())


def _stamp_equations(
    target: np.ndarray, source: np.ndarray, variance: np.ndarray, source_variance: np.ndarray, bad: np.ndarray,
    x: np.ndarray, y: np.ndarray, element: np.ndarray, half: int, background_order: int,
) -> _Stamps:  # fmt: skip
    """Cut the stamps and form their normal equations. Stars that cannot be used have 0 pixels."""
    radius = element.shape[0] // 2
    elements = int(element.max()) + 1
    degrees = _degrees(background_order)
    in_columns, in_rows = _axes(target.shape, background_order)
    n_background, count = len(degrees), len(x)
    products = np.zeros((count, elements + n_background + 1, elements + n_background + 1))
    noise = np.zeros((count, elements))
    pixels, light = np.zeros(count), np.zeros(2)
    reach = half + radius
    side = 2 * half + 1
    design = np.empty((elements + n_background + 1, side * side), np.float32)
    for k, (column, row) in enumerate(zip(np.rint(x).astype(int), np.rint(y).astype(int), strict=True)):
        if not (0 <= row < target.shape[0] and 0 <= column < target.shape[1]):
            continue
        wide = _stamp(bad, row, column, reach)
        # Beyond the edge there is nothing, and within a kernel's radius of it the convolution lacks what is beyond.
        (band, in_band), (strip, in_strip) = (
            _span(place, half, radius, size) for place, size in zip((row, column), target.shape, strict=True)
        )
        usable = ~wide[radius:-radius, radius:-radius] & in_band[:, None] & in_strip
        if usable.mean() < 0.6 or not usable[half - 2 : half + 3, half - 2 : half + 3].all() or wide.mean() > 0.1:
            continue
        data = _stamp(target, row, column, half)
        # One variance for the whole stamp: that of single pixels follows their noise, and so would the fit.
        noise2 = np.median(_stamp(variance, row, column, half)[usable]) + (_SYSTEMATIC * data) ** 2
        root = np.sqrt(usable / np.where(usable, noise2, 1)).ravel()
        design[:elements] = 0
        around = np.ascontiguousarray(_stamp(source, row, column, reach))
        _fill_design(around, half, element, root, design)
        for number, (i, j) in enumerate(degrees):
            design[elements + number] = np.outer(in_rows[j, band], in_columns[i, strip]).ravel() * root
        design[-1] = data.ravel() * root
        products[k] = design @ design.T
        _add_noise(
            np.ascontiguousarray(_stamp(source_variance, row, column, reach)), half, element,
            (root**2).reshape(side, side), noise[k],
        )  # fmt: skip
        light += _light(data, usable), _light(around[radius:-radius, radius:-radius], usable)
        pixels[k] = usable.sum()
    kernel, sky = slice(0, elements), slice(elements, -1)
    return _Stamps(
        matrix=products[:, kernel, kernel],
        vector=products[:, kernel, -1],
        cross=products[:, kernel, sky],
        background_matrix=products[:, sky, sky],
        background_vector=products[:, sky, -1],
        square=products[:, -1, -1],
        noise=noise,
        pixels=pixels,
        # Where the target has no light of the stars no ratio helps: what is fitted then is refused for itself.
        flux_ratio=float(light[0] / light[1]) if (light > 0).all() else 1.0,
    )


@dataclass(frozen=True)
class _Regularisation:
    """What is known of a kernel before it is fitted, as quadratic penalties on its coefficients."""

    penalty: np.ndarray  # (elements, elements), as of `kernel_basis`
    ridge: np.ndarray  # (elements,), as of `kernel_basis`
    pixels: np.ndarray  # (elements,): how many each has

    def matrix(self, term: int, scale: float, flux_ratio: float) -> np.ndarray:
        """Return what is added to a polynomial term's normal equations; the smoothness weighs `scale`."""
        variation = flux_ratio * (_VARIATION if term else 1.0)
        added = scale * self.penalty + np.diag(self.ridge / variation**2)
        if term:
            added += np.outer(self.pixels, self.pixels) * (_total_degree(term) / (_SUM_VARIATION * flux_ratio)) ** 2
        return added


def _solve(
    stamps: _Stamps, used: np.ndarray, terms: np.ndarray, prior: _Regularisation
) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel's coefficients (terms, elements) and the background's, from the stars used."""
    n_terms, elements = len(terms), len(prior.ridge)
    n_background = stamps.background_vector.shape[1]
    size = n_terms * elements + n_background
    system = np.zeros((size, size))
    right = np.zeros(size)
    own = terms[:, used]
    matrix = stamps.matrix[used].reshape(used.sum(), -1)
    pairs = [(i, j) for i in range(n_terms) for j in range(i + 1)]
    blocks = np.stack([own[i] * own[j] for i, j in pairs]) @ matrix
    for (i, j), block in zip(pairs, blocks, strict=True):
        block = block.reshape(elements, elements)
        system[i * elements : (i + 1) * elements, j * elements : (j + 1) * elements] = block
        if i != j:
            system[j * elements : (j + 1) * elements, i * elements : (i + 1) * elements] = block
    right[:-n_background] = (own @ stamps.vector[used]).ravel()
    cross = np.tensordot(own, stamps.cross[used], 1).reshape(-1, n_background)
    system[:-n_background, -n_background:] = cross
    system[-n_background:, :-n_background] = cross.T
    system[-n_background:, -n_background:] = stamps.background_matrix[used].sum(axis=0)
    right[-n_background:] = stamps.background_vector[used].sum(axis=0)
    # The penalty on roughness is the same for every term, measured by the weight of the constant one.
    scale = _SMOOTHNESS * np.trace(system[:elements, :elements]) / np.trace(prior.penalty)
    for i in range(n_terms):
        part = slice(i * elements, (i + 1) * elements)
        system[part, part] += prior.matrix(i, scale, stamps.flux_ratio)
    system[np.diag_indices(size)] *= 1 + 1e-7
    factor = linalg.cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    solution = linalg.cho_solve(factor, right, check_finite=False)
    kernel, background = solution[:-n_background].reshape(n_terms, elements), solution[-n_background:]
    first = np.tril(factor[0][:elements, :elements])
    kernel[0] = _without_attenuation(kernel[0], first, stamps.noise[used].sum(axis=0))
    return kernel, background


def _without_attenuation(constant: np.ndarray, factor: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the constant term of a kernel (elements,) with what the source image's noise took of it put back.

    That noise adds to the diagonal of the normal equations and makes the kernel smaller, the more so the fainter the
    stars and the finer the detail. The image's variance says how much it adds. Details in which noise is much of the
    power are left as they are: there the variance is not known well enough (resampling leaves no noise in the finest)
    and what is put back would be noise itself.

    `factor` is the lower Cholesky factor of the constant term's normal equations, `noise` what was added to their
    diagonal.
    """
    share, details = linalg.eigh(np.diag(noise), factor @ factor.T, check_finite=False)
    share = np.minimum(share, 0.9)
    put_back = share / (1 - share) * np.exp(-((share / _ATTENUATED) ** 4))
    restored: np.ndarray = constant + details @ (put_back * (factor.T @ constant @ (factor.T @ details)))
    return restored


def _chi_square(stamps: _Stamps, terms: np.ndarray, coefficients: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return chi square by pixel of every star against the present kernel; NaN where it has no pixels."""
    local = terms.T @ coefficients
    model = np.einsum("se,sef,sf->s", local, stamps.matrix, local, optimize=True)
    model += 2 * np.einsum("se,seb,b->s", local, stamps.cross, background, optimize=True)
    model += np.einsum("sbc,b,c->s", stamps.background_matrix, background, background, optimize=True)
    data = 2 * np.einsum("se,se->s", local, stamps.vector) + 2 * stamps.background_vector @ background
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(stamps.pixels > 0, (stamps.square - data + model) / stamps.pixels, np.nan)


def _stars_of_common_flux_ratio(
    stamps: _Stamps, used: np.ndarray, terms: np.ndarray, prior: _Regularisation, at_least_stars: int
) -> np.ndarray:
    """Return which stars (bool) have the flux ratio of the others, by a kernel of low order.

    A star's ratio is its flux in the target over that in the convolved source (1 where the kernel holds), weighted by
    the convolved source; it is held against the median of all and its noise.

    A kernel of high order follows a star that varies wherever few others are near: it would fit that star, and
    nothing else about it. Where fewer than `at_least_stars` show any light by this kernel, or agree, there is nothing
    to tell the others by, and the few are returned.
    """
    for _ in range(_RATIO_ROUNDS):
        coefficients, background = _solve(stamps, used, terms, prior)
        local = terms.T @ coefficients
        power = np.einsum("se,sef,sf->s", local, stamps.matrix, local, optimize=True)
        power -= (stamps.noise * local**2).sum(axis=1)
        light = (local * (stamps.vector - stamps.cross @ background)).sum(axis=1)
        seen: np.ndarray = (stamps.pixels > 0) & (power > 0)
        if seen.sum() < at_least_stars:  # no light of these stars in the target, or a variance that is too large
            return seen
        power = np.where(seen, power, 1.0)
        ratio = light / power
        median = np.median(ratio[seen])
        spread = 1.4826 * np.median(np.abs(ratio[seen] - median))
        used = seen & (np.abs(ratio - median) < 4 * np.sqrt(spread**2 + 1 / power) + _RATIO_TOLERANCE)
        if used.sum() < at_least_stars:
            break
    return used


def _order_for(used: np.ndarray, order: int) -> int:
    """Return the highest order, up to the one wanted, that so many stars allow."""
    while order > 0 and used.sum() < _STARS_PER_TERM * (order + 1) * (order + 2) // 2:
        order -= 1
    return order


def fit_kernel(
    target: np.ndarray,
    source: np.ndarray,
    variance: np.ndarray,
    source_variance: np.ndarray,
    bad: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    radius: int,
    core: int = 3,
    half_stamp: int = 9,
    order: int = 2,
    background_order: int = 1,
    at_least_stars: int = 8,
) -> MatchingKernel | None:
    """Fit the kernel that, convolved with `source`, gives `target`.

    Parameters
    ----------
    target, source : ndarray of float32, shape (rows, columns)
        On one grid, finite, background subtracted.
    variance : ndarray of float32, same shape
        Of the two together.
    source_variance : ndarray of float32, same shape
        Of `source` alone.
    bad : ndarray of bool, same shape
        Pixels not to use.
    x, y : ndarray of float64
        0-based places of the stars offered.
    radius, core : int
        Half size of the kernel, and of its part that is not bound in blocks.
    half_stamp : int
        Half size of the stars' stamps.
    order, background_order : int
        Highest total degree of the variation. That of the kernel is lowered where the stars are too few for it.
    at_least_stars : int
        Fewer usable ones give no kernel.

    Returns
    -------
    MatchingKernel or None
        None where too few stars could be used.
    """
    element, penalty, ridge = kernel_basis(radius, min(core, radius))
    prior = _Regularisation(penalty, ridge, np.bincount(element[element >= 0], minlength=len(ridge)).astype(float))
    stamps = _stamp_equations(
        target, source, variance, source_variance, bad, x, y, element, half_stamp, background_order
    )
    used = stamps.pixels > 0
    if used.sum() < at_least_stars:
        return None
    low = polynomial_terms(x, y, target.shape, _order_for(used, min(order, 1)))
    constant, _ = _solve(stamps, used, low[:1], prior)
    if (flux_ratio := float(constant[0] @ prior.pixels)) > 0:  # what a fit with its background says is more exact
        stamps = replace(stamps, flux_ratio=flux_ratio)
    alike = _stars_of_common_flux_ratio(stamps, used, low, prior, at_least_stars)
    used = offered = alike if alike.sum() >= max(at_least_stars, 0.5 * used.sum()) else used
    order = _order_for(used, order)
    terms = polynomial_terms(x, y, target.shape, order)
    for _ in range(_ROUNDS):
        coefficients, background = _solve(stamps, used, terms, prior)
        chi_square = _chi_square(stamps, terms, coefficients, background)
        median = np.median(chi_square[used])
        spread = 1.4826 * np.median(np.abs(chi_square[used] - median))
        keep = offered & (chi_square < median + 4 * spread + 0.2)
        if keep.sum() < at_least_stars:
            return None
        if (keep == used).all():
            break
        used = keep
    else:
        coefficients, background = _solve(stamps, used, terms, prior)
        chi_square = _chi_square(stamps, terms, coefficients, background)
    padded = np.concatenate([coefficients, np.zeros((len(terms), 1))], axis=1)  # element -1 is nothing
    return MatchingKernel(
        padded[:, element],
        background,
        order,
        background_order,
        target.shape,
        used,
        chi_square,
    )
