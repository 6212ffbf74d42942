"""Rice compression of a frame's images: integers as they are, floating-point images to a fraction of their noise.

The step of the quantisation is given and not measured tile by tile, as is usual: what a frame's noise is its variance
says, the loss is then the same everywhere, and it takes a third of the time. Subtractive dithering (W. D. Pence,
R. White, R. Seaman 2010, PASP 122, 1065) makes the error of a pixel independent of its value; its second kind keeps
pixels of exactly 0. The dither begins at the same place in every file, so that the same frame gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from astropy.io import fits

__all__ = ["NO_COMPRESSION", "Compression", "image_unit", "noise_of"]

ROWS_OF_A_TILE = 32
DITHER_SEED = 1
VARIANCE_STEPS = 64.0  # to the typical variance: its error is 0.8% at the most, a noise's half of that
LARGEST = 2.0**30  # steps; beyond it the codec falls back on gzip, which writes the time into the file


@dataclass(frozen=True)
class Compression:
    """How a frame is compressed.

    Parameters
    ----------
    masks : bool
        Integers; nothing is lost.
    steps_per_noise : float or None
        Image and variance as well, the image in steps of its typical pixel's noise divided by this: the error's rms
        is 0.29 steps. None leaves them as they are.
    """

    masks: bool = False
    steps_per_noise: float | None = None

    def image_step(self, variance: np.ndarray | None) -> float | None:
        """Return the step of an image of this variance, None where it is to stay as it is."""
        noise = noise_of(variance)
        return None if self.steps_per_noise is None or noise is None else noise / self.steps_per_noise

    def variance_step(self, variance: np.ndarray) -> float | None:
        """Return the step of a variance, None where it is to stay as it is: the least of it stays positive."""
        noise = noise_of(variance)
        if self.steps_per_noise is None or noise is None:
            return None
        return min(noise**2 / VARIANCE_STEPS, float(np.min(variance, where=variance > 0, initial=np.inf)))


NO_COMPRESSION = Compression()


def noise_of(variance: np.ndarray | None) -> float | None:
    """Return the noise of an image's typical pixel, None where no pixel has a known one."""
    if variance is None:
        return None
    sample = variance[::8, ::8] if variance.size > 100_000 else variance
    known = sample[np.isfinite(sample) & (sample > 0)]
    return float(np.sqrt(np.median(known))) if known.size else None


def image_unit(
    data: np.ndarray, header: fits.Header | None, name: str, *, compress: bool, step: float | None = None
) -> fits.ImageHDU | fits.CompImageHDU:
    """Return an image as a FITS unit.

    Parameters
    ----------
    data : ndarray of float32 or int16, shape (rows, columns)
    header : astropy.io.fits.Header or None
    name : str
        EXTNAME.
    compress : bool
        By Rice's algorithm. A floating-point image that has no step, or infinite or enormous values, stays as it is.
    step : float or None
        Of the quantisation, in the image's unit.
    """
    is_float = data.dtype.kind == "f"
    if not compress or (is_float and not _quantisable(data, step)):
        return fits.ImageHDU(data, header, name=name)
    told = {} if not is_float else {
        "quantize_level": -float(step or 0), "quantize_method": fits.hdu.compressed.SUBTRACTIVE_DITHER_2,
        "dither_seed": DITHER_SEED,
    }  # fmt: skip
    tile = (min(ROWS_OF_A_TILE, data.shape[0]), data.shape[1])
    return fits.CompImageHDU(data, header, name=name, compression_type="RICE_1", tile_shape=tile, **told)


def _quantisable(data: np.ndarray, step: float | None) -> bool:
    if step is None or not step > 0 or not data.size:
        return False
    with np.errstate(invalid="ignore"):
        least, most = float(np.fmin.reduce(data, axis=None)), float(np.fmax.reduce(data, axis=None))
    return np.isfinite(least) and np.isfinite(most) and max(abs(least), abs(most)) < LARGEST * step
