"""Convolution of whole images by FFT in float32."""

import numpy as np
from scipy import fft, ndimage

__all__ = ["Transformed", "convolve", "fill_bad"]


class Transformed:
    """An image's transform, kept so that several kernels can be applied to it.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Finite everywhere: one NaN would make all of the result NaN.
    reach : int
        Half size of the largest kernel. The image is padded with zeros by so much.
    """

    def __init__(self, image: np.ndarray, reach: int):
        self.shape = image.shape
        self.reach = reach
        self.padded = tuple(fft.next_fast_len(n + reach, real=True) for n in image.shape)
        self.transform = fft.rfft2(image.astype(np.float32, copy=False), s=self.padded)

    def convolve(self, kernel: np.ndarray) -> np.ndarray:
        """Return the convolution with one kernel of odd size (float32), zero beyond the image's edge."""
        height, width = kernel.shape
        if height % 2 == 0 or width % 2 == 0 or max(height, width) // 2 > self.reach:
            raise ValueError(f"a kernel of {height}x{width} pixels does not fit: odd, at most {2 * self.reach + 1}")
        product = fft.rfft2(kernel.astype(np.float32, copy=False), s=self.padded)
        product *= self.transform
        whole = fft.irfft2(product, s=self.padded, overwrite_x=True)
        # The kernel's centre sits at (height // 2, width // 2) of the transform's origin: take it back.
        rows, columns = self.shape
        whole = np.roll(whole, (-(height // 2), -(width // 2)), axis=(0, 1))
        return np.ascontiguousarray(whole[:rows, :columns])


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the convolution of a finite image with one kernel of odd size, zero beyond the image's edge."""
    return Transformed(image, max(kernel.shape) // 2).convolve(kernel)


def fill_bad(image: np.ndarray, bad: np.ndarray, *, size: int = 5) -> np.ndarray:
    """Return the image with bad pixels replaced by the mean of their good neighbours, 0 where there is none.

    Parameters
    ----------
    image : ndarray of float32
    bad : ndarray of bool, same shape
    size : int
        Width of the neighbourhood in pixels.
    """
    filled = np.where(bad, np.float32(0), image)
    if not bad.any():
        return filled
    total = ndimage.uniform_filter(filled, size, mode="constant")
    weight = ndimage.uniform_filter((~bad).astype(np.float32), size, mode="constant")
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(weight > 1e-3, total / weight, 0)
    filled[bad] = mean[bad]
    return filled
