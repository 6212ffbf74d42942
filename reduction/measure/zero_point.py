"""The photometric zero point: what magnitude one electron of the exposure has, by colour and place.

``catalogue = zero point + colour term (colour - reference) + polynomial(place) - 2.5 log10(electrons)``. The
polynomial has no mean over the image: it holds what the flat field left, thin clouds and the camera's illumination.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numba
import numpy as np

from reduction.array_types import Float32Array, Float64Array
from reduction.image.frame import Frame
from reduction.problems import Problem, Unusable

__all__ = ["NOMINAL", "ZeroPoint", "fit_zero_point", "level", "magnitudes"]

_SPATIAL_KEYS = tuple(f"MAGZP_{i}" for i in range(1, 6))  # of a header: the terms of `ZeroPoint.spatial`
NOMINAL = 25.0  # where a field has no catalogue: the magnitudes are instrumental
COLOUR_FROM, LINEAR_FROM, QUADRATIC_FROM = 40, 60, 200  # stars that a term needs
CATALOGUE_ERROR = 0.01  # magnitudes; no catalogue holds to better


@dataclass(frozen=True)
class ZeroPoint:
    """A zero point.

    Parameters
    ----------
    value : float
        Magnitude of one electron in the exposure: at the reference colour, averaged over the image.
    rms : float
        Of the stars about it, all terms taken off.
    stars : int
        That it was made from.
    colour_term : float
        Magnitudes a magnitude of colour; 0 where it was not fitted.
    spatial : ndarray of float, shape (terms,)
        Coefficients of u, v, u^2 - 1/3, uv, v^2 - 1/3 in the scaled place (-1 .. 1), magnitudes; empty where not
        fitted.
    """

    value: float
    rms: float
    stars: int
    colour_term: float = 0.0
    spatial: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def uncertainty(self) -> float:
        """Of the value, from the scatter."""
        uncertainty: float = self.rms / max(self.stars, 1) ** 0.5
        return uncertainty

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> "ZeroPoint":
        """Return the zero point of an image's header; what may be missing of it but ``MAGZP`` is 0 or not fitted."""
        return cls(
            float(header["MAGZP"]),
            float(header.get("MAGZPRMS", 0.0)),
            int(header.get("MAGZPNUM", 0)),
            float(header.get("CLRCOEFF", 0.0)),
            np.array([float(header[key]) for key in _SPATIAL_KEYS if key in header]),
        )

    def keywords(self) -> dict[str, Any]:
        """Return what a header says of it, as `from_header` reads it."""
        return {
            "MAGZP": self.value,
            "MAGZPRMS": self.rms,
            "MAGZPUNC": self.uncertainty,
            "MAGZPNUM": self.stars,
            "CLRCOEFF": self.colour_term,
            **{key: float(value) for key, value in zip(_SPATIAL_KEYS, self.spatial, strict=False)},
        }

    def magnitude(self, flux: float) -> float:
        """Return the magnitude of a positive flux in electrons from which the spatial terms were taken out."""
        return self.value - 2.5 * math.log10(flux)

    def flux_correction(self, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return what fluxes at 0-based pixel positions are to be multiplied by, so that the value holds for all."""
        factors: np.ndarray = 10 ** (-0.4 * (self.spatial @ _places(x, y, shape)[: len(self.spatial)]))
        return factors


def level(frame: Frame) -> Frame:
    """Return a frame at one zero point: the spatial terms of its header are taken out of pixels, variance and header.

    A calibrated frame's pixels have them still, its table of sources does not. Whatever compares or adds pixels of
    several images takes them out first. A frame without such terms is returned as it is.
    """
    spatial = np.zeros(len(_SPATIAL_KEYS))
    known = ZeroPoint.from_header(frame.header).spatial if "MAGZP" in frame.header else spatial[:0]
    if not known.any():
        return frame
    spatial[: len(known)] = known
    assert frame.variance is not None
    image, variance = np.empty(frame.shape, np.float32), np.empty(frame.shape, np.float32)
    _level(frame.image, frame.variance, -0.4 * math.log(10) * spatial, image, variance)
    header = {key: value for key, value in frame.header.items() if key not in _SPATIAL_KEYS}
    return replace(frame, image=image, variance=variance, header=header)


@numba.njit(cache=True, nogil=True)
def _level(
    image: Float32Array, variance: Float32Array, terms: Float64Array, out: Float32Array, out_variance: Float32Array
) -> None:
    """Multiply by the exponential of the polynomial whose coefficients are given, the variance by its square.

    Along a row the exponent is quadratic, so that each pixel's factor is the last one's times a ratio that grows by
    the same share from pixel to pixel: an exponential in each pixel would take four times as long.
    """
    rows, columns = image.shape
    step = 2 / max(columns - 1, 1)
    growth = math.exp(2 * terms[2] * step * step)
    for row in range(rows):
        v = 2 * row / max(rows - 1, 1) - 1
        slope = terms[0] + terms[3] * v
        factor = math.exp(terms[1] * v + terms[2] * (2 / 3) + terms[4] * (v * v - 1 / 3) - slope)
        ratio = math.exp(slope * step + terms[2] * (step * step - 2 * step))
        for column in range(columns):
            out[row, column] = image[row, column] * factor
            out_variance[row, column] = variance[row, column] * (factor * factor)
            factor *= ratio
            ratio *= growth


def _places(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    u = 2 * np.asarray(x, dtype=float) / max(shape[1] - 1, 1) - 1
    v = 2 * np.asarray(y, dtype=float) / max(shape[0] - 1, 1) - 1
    return np.stack([u, v, u * u - 1 / 3, u * v, v * v - 1 / 3])


def fit_zero_point(
    flux: np.ndarray,
    flux_err: np.ndarray,
    magnitude: np.ndarray,
    *,
    colour: np.ndarray | None = None,
    places: tuple[np.ndarray, np.ndarray] | None = None,
    shape: tuple[int, int] = (1, 1),
) -> ZeroPoint:
    """Fit the zero point to matched stars, outliers clipped.

    Parameters
    ----------
    flux, flux_err : ndarray of float
        Electrons.
    magnitude : ndarray of float
        The catalogue's.
    colour : ndarray of float, optional
        The catalogue's, less the reference; stars without one do not take part in its term.
    places : tuple of ndarray, optional
        0-based x and y: a linear or quadratic term in the place is fitted where there are stars enough.
    shape : tuple of int
        Rows and columns of the image.

    Raises
    ------
    Unusable
        ``photometry_failed`` where fewer than three stars can be used.
    """
    with np.errstate(all="ignore"):
        value = np.asarray(magnitude, dtype=float) + 2.5 * np.log10(flux)
        error = 1.0857 * np.asarray(flux_err, dtype=float) / flux
    good = np.isfinite(value) & np.isfinite(error) & (error < 0.2)
    if good.sum() < 3:
        raise Unusable(Problem.PHOTOMETRY_FAILED, f"{int(good.sum())} stars with magnitudes; 3 are needed")
    value, error = value[good], np.hypot(error[good], CATALOGUE_ERROR)
    coloured = colour is not None and np.isfinite(colour[good]).sum() >= COLOUR_FROM
    terms = [np.ones(len(value))]
    if coloured:
        assert colour is not None
        known = colour[good]
        terms.append(np.where(np.isfinite(known), known, np.nanmedian(known)))
    number = 0 if places is None else 5 if len(value) >= QUADRATIC_FROM else 2 if len(value) >= LINEAR_FROM else 0
    if number:
        assert places is not None
        terms.extend(_places(places[0][good], places[1][good], shape)[:number])
    basis = np.stack(terms)
    coefficients = np.zeros(len(basis))
    coefficients[0] = np.median(value)
    kept = np.ones(len(value), dtype=bool)
    for turn in range(6):
        apart = value - coefficients @ basis
        centre = float(np.median(apart[kept]))
        scale = 1.4826 * float(np.median(np.abs(apart[kept] - centre))) + 1e-3
        new = np.abs(apart - centre) < 3 * np.hypot(scale, error)
        if new.sum() < max(3, len(basis)):
            new = kept
        coefficients = _weighted(basis[:, new], value[new], error[new])
        if (new == kept).all() and turn > 0:
            break
        kept = new
    weight = 1 / error[kept] ** 2
    apart = (value - coefficients @ basis)[kept]
    rms = float(np.sqrt((weight * apart**2).sum() / weight.sum()))
    return ZeroPoint(
        float(coefficients[0]), rms, int(kept.sum()),
        float(coefficients[1]) if coloured else 0.0, coefficients[len(basis) - number :] if number else np.empty(0),
    )  # fmt: skip


def _weighted(basis: np.ndarray, value: np.ndarray, error: np.ndarray) -> np.ndarray:
    coefficients: np.ndarray = np.linalg.lstsq((basis / error).T, value / error, rcond=None)[0]
    return coefficients


def magnitudes(
    flux: np.ndarray, flux_err: np.ndarray, zero_point: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return magnitudes and their errors; NaN where the flux is not positive."""
    with np.errstate(all="ignore"):
        magnitude = np.where(flux > 0, zero_point - 2.5 * np.log10(flux), np.nan)
        error = np.where(flux > 0, 1.0857 * flux_err / flux, np.nan)
    return magnitude, error
