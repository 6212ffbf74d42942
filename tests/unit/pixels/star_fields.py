"""Small fields of stars with known truth, for the tests of the pixel steps."""

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy.special import erf

from reduction.detector.calibrations import DetectorSettings
from reduction.detector.layout import Layout
from reduction.image.frame import Frame
from reduction.measure.astrometry import tangent_wcs
from reduction.measure.catalogue import Catalogue

ZERO_POINT = 26.0
READ_NOISE = 6.0


@dataclass(frozen=True)
class StarField:
    """A simulated image (electrons, sky in it) and what was drawn into it."""

    image: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    wcs: WCS

    @property
    def frame(self) -> Frame:
        """As the calibration leaves it."""
        variance = np.maximum(self.image, 0) + np.float32(READ_NOISE**2)
        mask = np.zeros(self.image.shape, dtype=np.uint16)
        return Frame(self.image, mask, variance, self.wcs, {"RDNOISE": READ_NOISE})

    @property
    def catalogue(self) -> Catalogue:
        """The stars as a catalogue."""
        order = np.argsort(-self.flux)
        ra, dec = self.wcs.all_pix2world(self.x[order], self.y[order], 0)
        return Catalogue(ra, dec, ZERO_POINT - 2.5 * np.log10(self.flux[order]))


def add_star(image: np.ndarray, x: float, y: float, flux: float, fwhm: float) -> None:
    """Add a Gaussian star, integrated over pixels, in place."""
    sigma = fwhm / 2.3548
    rows, columns = image.shape

    def share(size: int, centre: float) -> np.ndarray:
        edges = (np.arange(size + 1) - 0.5 - centre) / sigma / np.sqrt(2)
        return np.diff(erf(edges)) / 2

    image += flux * share(rows, y)[:, None] * share(columns, x)[None, :]


def star_field(
    shape: tuple[int, int] = (160, 160), *, stars: int = 40, fwhm: float = 2.4, sky: float = 200.0, seed: int = 1
) -> StarField:
    """Return a field of stars of a wide range of fluxes, apart from each other."""
    random = np.random.default_rng(seed)
    places: list[tuple[float, float]] = []
    while len(places) < stars:
        x, y = random.uniform(10, shape[1] - 11), random.uniform(10, shape[0] - 11)
        if all((x - a) ** 2 + (y - b) ** 2 > 11**2 for a, b in places):
            places.append((x, y))
    flux = 10 ** random.uniform(3.3, 5.0, stars)
    image = np.full(shape, sky)
    for (x, y), f in zip(places, flux, strict=True):
        add_star(image, x, y, f, fwhm)
    noisy = random.poisson(image) + random.normal(0, READ_NOISE, shape)
    x, y = (np.array(v) for v in zip(*places, strict=True)) if stars else (np.empty(0), np.empty(0))
    wcs = tangent_wcs(150.0, 22.0, shape, scale_arcsec=1.0)
    return StarField(noisy.astype(np.float32), x, y, flux, wcs)


def plain_settings(shape: tuple[int, int], *, gain: float = 1.0) -> DetectorSettings:
    """Return settings of a quadrant without overscan."""
    return DetectorSettings(Layout(0, shape, gain, READ_NOISE, 60000.0), 30.0)


def raw_fits(path, image: np.ndarray, cards: dict | None = None, *, overscan: np.ndarray | None = None) -> None:
    """Write a raw file: the image in extension 1, an overscan image in extension 2."""
    header = fits.Header()
    for key, value in (cards or {}).items():
        header[key] = value
    units = [fits.PrimaryHDU(), fits.ImageHDU(image, header)]
    if overscan is not None:
        units.append(fits.ImageHDU(overscan))
    fits.HDUList(units).writeto(path)
