"""Put an image on another pixel grid: Lanczos-3, with the two WCS compared only on a coarse grid of nodes.

A bad pixel is left out of every sum, so that no NaN spreads. Where bad pixels would have carried much of the weight
the output pixel takes their bits.
"""

import math

import numba
import numpy as np
from astropy.wcs import WCS

from reduction.frame import Frame
from reduction.mask import FATAL, MaskBit

__all__ = ["NODE_STEP_PX", "node_coordinates", "resample"]

NODE_STEP_PX = 32
_PHASES = 4096
_SHARE = 0.12  # of the absolute weight: a bad pixel that carries more marks the output
_NAN = int(MaskBit.NAN)


def _lanczos_table(phases: int = _PHASES) -> np.ndarray:
    """Return the six weights, normalised to sum 1, at each sub-pixel phase; shape (phases + 1, 6)."""
    phase = np.linspace(0.0, 1.0, phases + 1)[:, None]
    distance = phase - np.arange(-2, 4)[None, :]
    weights = np.sinc(distance) * np.sinc(distance / 3.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


_TABLE = _lanczos_table()


def node_coordinates(to: WCS, source: WCS, shape: tuple[int, int], step: int = NODE_STEP_PX) -> np.ndarray:
    """Return where the nodes of one grid fall on the other.

    Parameters
    ----------
    to, source : astropy.wcs.WCS
        Of the new grid and of the image that is to be put on it.
    shape : (int, int)
        Rows and columns of the new grid.
    step : int
        Distance of the nodes in pixels. Between them the mapping is taken as bilinear.

    Returns
    -------
    ndarray of float64, shape (2, rows / step + 2, columns / step + 2)
        x and y (0-based) on the image's grid.
    """
    rows, columns = shape
    y, x = np.meshgrid(np.arange(0, rows + step, step), np.arange(0, columns + step, step), indexing="ij")
    ra, dec = to.all_pix2world(x.ravel(), y.ravel(), 0)
    source_x, source_y = source.all_world2pix(ra, dec, 0, quiet=True)
    return np.stack([np.reshape(source_x, x.shape), np.reshape(source_y, x.shape)])


@numba.njit(cache=True, nogil=True)
def _count_bad(image, mask, fatal):
    """Return how many bad pixels lie above and left of each pixel corner (a summed-area table)."""
    rows, columns = image.shape
    table = np.zeros((rows + 1, columns + 1), np.int32)
    for row in range(rows):
        line = 0
        for column in range(columns):
            if mask[row, column] & fatal or not math.isfinite(image[row, column]):
                line += 1
            table[row + 1, column + 1] = table[row, column + 1] + line
    return table


@numba.njit(cache=True, nogil=True)
def _careful_pixel(image, variance, mask, x0, y0, wx, wy, fatal, share):
    """Return value, variance and bits of an output pixel whose footprint holds bad pixels or the image's edge."""
    rows, columns = image.shape
    good, total, bad_share, all_share = 0.0, 0.0, 0.0, 0.0
    finite, finite_total = 0.0, 0.0
    noise, noise_weight = 0.0, 0.0
    bits = 0
    for b in range(6):
        yy = y0 - 2 + b
        for a in range(6):
            w = wx[a] * wy[b]
            xx = x0 - 2 + a
            size = abs(w)
            all_share += size
            if not (0 <= yy < rows and 0 <= xx < columns):
                bad_share += size
                continue
            value = image[yy, xx]
            is_finite = math.isfinite(value)
            if is_finite:
                finite += w
                finite_total += w * value
            if not is_finite or mask[yy, xx] & fatal:
                bad_share += size
                if size > 0.02:
                    bits |= mask[yy, xx] & fatal
                    if not is_finite:
                        bits |= _NAN
                continue
            good += w
            total += w * value
            if w > 0:
                noise += w * variance[yy, xx]
                noise_weight += w
    flags = 0
    if bits == 0:
        bits = _NAN
    if bad_share > share * all_share:
        flags = bits
    if good > 0.5:
        return total / good, noise / noise_weight, flags
    if finite > 0.5:  # a saturated core: masked, but no hole for a convolution to ring on
        return finite_total / finite, 0.0, flags | bits
    return 0.0, 0.0, flags | _NAN


@numba.njit(cache=True, nogil=True)
def _resample(image, variance, mask, nodes, step, table, fatal, share, out, out_variance, out_mask):
    """Fill the output arrays; see `resample`."""
    rows, columns = out.shape
    source_rows, source_columns = image.shape
    phases = table.shape[0] - 1
    counts = _count_bad(image, mask, fatal)
    left = np.empty(2)
    slope = np.empty(2)
    for row in range(rows):
        j = row // step
        v = (row - j * step) / step
        for column in range(columns):
            i = column // step
            if column == i * step:
                for axis in range(2):
                    left[axis] = nodes[axis, j, i] * (1 - v) + nodes[axis, j + 1, i] * v
                    right = nodes[axis, j, i + 1] * (1 - v) + nodes[axis, j + 1, i + 1] * v
                    slope[axis] = (right - left[axis]) / step
            x = left[0] + slope[0] * (column - i * step)
            y = left[1] + slope[1] * (column - i * step)
            # written so that a NaN coordinate falls outside
            if not (x > -0.5 and y > -0.5 and x < source_columns - 0.5 and y < source_rows - 0.5):
                out[row, column] = 0.0
                out_variance[row, column] = 0.0
                out_mask[row, column] = _NAN
                continue
            x0 = math.floor(x)
            y0 = math.floor(y)
            wx = table[int((x - x0) * phases + 0.5)]
            wy = table[int((y - y0) * phases + 0.5)]
            near = mask[min(max(int(y + 0.5), 0), source_rows - 1), min(max(int(x + 0.5), 0), source_columns - 1)]
            inside = x0 >= 2 and y0 >= 2 and x0 + 3 < source_columns and y0 + 3 < source_rows
            if inside:
                top, bottom = y0 - 2, y0 + 4
                first, last = x0 - 2, x0 + 4
                inside = (counts[bottom, last] - counts[top, last] - counts[bottom, first] + counts[top, first]) == 0
            if not inside:
                value, noise, bits = _careful_pixel(image, variance, mask, x0, y0, wx, wy, fatal, share)
                out[row, column] = value
                out_variance[row, column] = noise
                out_mask[row, column] = bits | (near & ~fatal)
                continue
            total = np.float32(0.0)
            for b in range(6):
                line = np.float32(0.0)
                for a in range(6):
                    line += wx[a] * image[y0 - 2 + b, x0 - 2 + a]
                total += wy[b] * line
            fx, fy = x - x0, y - y0
            out[row, column] = total
            out_variance[row, column] = (1 - fy) * ((1 - fx) * variance[y0, x0] + fx * variance[y0, x0 + 1]) + fy * (
                (1 - fx) * variance[y0 + 1, x0] + fx * variance[y0 + 1, x0 + 1]
            )
            out_mask[row, column] = near & ~fatal


def resample(frame: Frame, to: WCS, shape: tuple[int, int], *, nodes: np.ndarray | None = None) -> Frame:
    """Put a frame on another grid.

    Parameters
    ----------
    frame : Frame
        With WCS and variance.
    to : astropy.wcs.WCS
        Of the new grid.
    shape : (int, int)
        Its rows and columns.
    nodes : ndarray, optional
        What `node_coordinates` returned, where it is known already.

    Returns
    -------
    Frame
        ``variance`` is that of sums over areas larger than the interpolation kernel, divided by their pixels:
        resampling correlates neighbours, which lowers the scatter of single pixels (by a tenth or so) but not that
        of a star's flux. Pixels without a value are 0 with bit NAN.

    Notes
    -----
    Surface brightness is kept: no factor for the change of pixel area, which is far below 0.1% between grids of one
    camera.
    """
    if frame.variance is None or frame.wcs is None:
        raise ValueError("only a frame with a WCS and a variance can be resampled")
    if nodes is None:
        nodes = node_coordinates(to, frame.wcs, shape)
    out = np.empty(shape, np.float32)
    variance = np.empty(shape, np.float32)
    mask = np.empty(shape, np.uint16)
    _resample(
        frame.image, frame.variance, frame.mask, nodes, NODE_STEP_PX, _TABLE, FATAL, _SHARE, out, variance, mask
    )
    return Frame(out, mask, variance, to, dict(frame.header))
