"""The photometric zero point: what magnitude one electron of the exposure has."""

from dataclasses import dataclass

import numpy as np

from reduction.problems import Unusable

__all__ = ["NOMINAL", "ZeroPoint", "fit_zero_point", "magnitudes"]

NOMINAL = 25.0  # where a field has no catalogue: the magnitudes are instrumental


@dataclass(frozen=True)
class ZeroPoint:
    """Magnitude of one electron in the exposure, the scatter of the stars about it, and their number."""

    value: float
    rms: float
    stars: int

    @property
    def uncertainty(self) -> float:
        """Of the value, from the scatter."""
        return self.rms / max(self.stars, 1) ** 0.5


def fit_zero_point(flux: np.ndarray, flux_err: np.ndarray, magnitude: np.ndarray) -> ZeroPoint:
    """Fit the zero point to matched stars by a weighted mean about the median, outliers clipped.

    Parameters
    ----------
    flux, flux_err : ndarray of float
        Electrons.
    magnitude : ndarray of float
        The catalogue's.

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
    value, error = value[good], np.hypot(error[good], 0.01)  # no catalogue holds to better than 1%
    kept = np.ones(len(value), dtype=bool)
    for _ in range(5):
        centre = float(np.median(value[kept]))
        scale = 1.4826 * float(np.median(np.abs(value[kept] - centre))) + 1e-3
        new = np.abs(value - centre) < 3 * np.hypot(scale, error)
        if (new == kept).all() or new.sum() < 3:
            break
        kept = new
    weight = 1 / error[kept] ** 2
    mean = float((weight * value[kept]).sum() / weight.sum())
    rms = float(np.sqrt((weight * (value[kept] - mean) ** 2).sum() / weight.sum()))
    return ZeroPoint(mean, rms, int(kept.sum()))


def magnitudes(flux: np.ndarray, flux_err: np.ndarray, zero_point: float) -> tuple[np.ndarray, np.ndarray]:
    """Return magnitudes and their errors; NaN where the flux is not positive."""
    with np.errstate(all="ignore"):
        magnitude = np.where(flux > 0, zero_point - 2.5 * np.log10(flux), np.nan)
        error = np.where(flux > 0, 1.0857 * flux_err / flux, np.nan)
    return magnitude, error
