"""The photometric zero point: what magnitude one electron of the exposure has, by colour and place.

``catalogue = zero point + colour term (colour - reference) + polynomial(place) - 2.5 log10(electrons)``. The
polynomial has no mean over the image: it holds what the flat field left, thin clouds and the camera's illumination.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reduction.problems import Unusable

__all__ = ["NOMINAL", "SPATIAL_KEYS", "ZeroPoint", "fit_zero_point", "magnitudes", "spatial_of"]

SPATIAL_KEYS = tuple(f"MAGZP_{i}" for i in range(1, 6))  # of a header: the terms of `ZeroPoint.spatial`
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
        return self.rms / max(self.stars, 1) ** 0.5

    def at(self, x: float, y: float, shape: tuple[int, int]) -> float:
        """Return the magnitude of one electron in the pixels at a 0-based position of an image of this shape."""
        return self.value + float(self.spatial @ _places(x, y, shape)[: len(self.spatial)])

    def flux_correction(self, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return what fluxes at 0-based pixel positions are to be multiplied by, so that the value holds for all."""
        return 10 ** (-0.4 * (self.spatial @ _places(x, y, shape)[: len(self.spatial)]))


def spatial_of(header: Mapping[str, Any]) -> np.ndarray:
    """Return the zero point's spatial coefficients of an image's header, magnitudes; empty where it has none."""
    return np.array([float(header[key]) for key in SPATIAL_KEYS if key in header])


def _places(x, y, shape: tuple[int, int]) -> np.ndarray:
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
        raise Unusable("photometry_failed", f"{int(good.sum())} stars with magnitudes; 3 are needed")
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
    return np.linalg.lstsq((basis / error).T, value / error, rcond=None)[0]


def magnitudes(
    flux: np.ndarray, flux_err: np.ndarray, zero_point: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return magnitudes and their errors; NaN where the flux is not positive."""
    with np.errstate(all="ignore"):
        magnitude = np.where(flux > 0, zero_point - 2.5 * np.log10(flux), np.nan)
        error = np.where(flux > 0, 1.0857 * flux_err / flux, np.nan)
    return magnitude, error
