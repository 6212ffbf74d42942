"""Put an image on another pixel grid: Lanczos-3, with the two WCS compared only on a coarse grid of nodes.

A bad pixel is left out of every sum, so that no NaN spreads. Where bad pixels would have carried much of the weight
the output pixel takes their bits.
"""

import math

import numba
import numpy as np
from astropy.wcs import WCS

from reduction.array_types import Float32Array, Float64Array, Int32Array, Uint16Array
from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit

__all__ = ["NODE_STEP_PX", "node_coordinates", "resample"]

NODE_STEP_PX = 32
_PHASES = 4096
_SHARE = 0.12  # of the absolute weight: a bad pixel that carries more marks the output
_NAN = int(MaskBit.NAN)
_ROUNDED = 1e-6  # pixels: more than two ways to round a coordinate lie apart


def _lanczos_table(phases: int = _PHASES) -> np.ndarray:
    """Return the six weights, normalised to sum 1, at each sub-pixel phase; shape (phases + 1, 6)."""
    phase = np.linspace(0.0, 1.0, phases + 1)[:, None]
    distance = phase - np.arange(-2, 4)[None, :]
    weights = np.sinc(distance) * np.sinc(distance / 3.0)
    normalised: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


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
def _count_bad(image: Float32Array, mask: Uint16Array, fatal: int) -> Int32Array:
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
def _careful_pixel(
    image: Float32Array, variance: Float32Array, mask: Uint16Array, x0: int, y0: int, wx: Float32Array,
    wy: Float32Array, fatal: int, share: float,
) -> tuple[float, float, int]:  # fmt: skip
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


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _clean_run(
    image: Float32Array, variance: Float32Array, mask: Uint16Array, x: float, y: float, dx: float, dy: float,
    table: Float32Array, fatal: int, out: Float32Array, out_variance: Float32Array, out_mask: Uint16Array,
) -> None:  # fmt: skip
    """Fill a run of output pixels whose footprints lie inside the image and hold no bad pixel.

    Indices are unsigned: a signed one is asked each time whether it counts from the end, which takes a third longer.
    """
    phases = table.shape[0] - 1
    for k in range(out.shape[0]):
        at_x, at_y = x + k * dx, y + k * dy
        x0, y0 = np.uint64(at_x), np.uint64(at_y)
        fx, fy = at_x - x0, at_y - y0
        wx, wy = table[np.uint64(fx * phases + 0.5)], table[np.uint64(fy * phases + 0.5)]
        total = np.float32(0.0)
        for b in range(6):
            line = image[y0 + np.uint64(b) - np.uint64(2)]
            part = np.float32(0.0)
            for a in range(6):
                part += wx[a] * line[x0 + np.uint64(a) - np.uint64(2)]
            total += wy[b] * part
        out[k] = total
        above, below = variance[y0], variance[y0 + np.uint64(1)]
        right = x0 + np.uint64(1)
        first = above[x0] + fx * (above[right] - above[x0])
        second = below[x0] + fx * (below[right] - below[x0])
        out_variance[k] = first + fy * (second - first)
        out_mask[k] = mask[np.uint64(at_y + 0.5), np.uint64(at_x + 0.5)] & ~fatal


@numba.njit(cache=True, nogil=True)
def _is_clean(counts: Int32Array, x: float, y: float, last_x: float, last_y: float) -> bool:
    """Tell whether all footprints on the way between two places lie inside the image and hold no bad pixel."""
    rows, columns = counts.shape[0] - 1, counts.shape[1] - 1
    for at_x, at_y in ((x, y), (last_x, last_y)):
        # written so that a NaN is not clean; narrower than the image, as `_clean_run` rounds coordinates differently
        if not (
            at_x >= 2 + _ROUNDED
            and at_y >= 2 + _ROUNDED
            and at_x < columns - 3 - _ROUNDED
            and at_y < rows - 3 - _ROUNDED
        ):
            return False
    left, top = int(min(x, last_x)) - 2, int(min(y, last_y)) - 2
    right, bottom = int(max(x, last_x)) + 4, int(max(y, last_y)) + 4
    bad: np.int32 = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
    return bool(bad == 0)


@numba.njit(cache=True, nogil=True)
def _careful_run(
    image: Float32Array, variance: Float32Array, mask: Uint16Array, counts: Int32Array, x: float, y: float, dx: float,
    dy: float, table: Float32Array, fatal: int, share: float, out: Float32Array, out_variance: Float32Array,
    out_mask: Uint16Array,
) -> None:  # fmt: skip
    """Fill a run of output pixels that may see bad pixels or the image's edge."""
    rows, columns = image.shape
    phases = table.shape[0] - 1
    for k in range(out.shape[0]):
        at_x, at_y = x + k * dx, y + k * dy
        # written so that a NaN coordinate falls outside
        if not (at_x > -0.5 and at_y > -0.5 and at_x < columns - 0.5 and at_y < rows - 0.5):
            out[k], out_variance[k], out_mask[k] = 0.0, 0.0, _NAN
            continue
        if _is_clean(counts, at_x, at_y, at_x, at_y):
            one = slice(k, k + 1)
            _clean_run(
                image, variance, mask, at_x, at_y, 0.0, 0.0, table, fatal, out[one], out_variance[one], out_mask[one]
            )
            continue
        x0, y0 = math.floor(at_x), math.floor(at_y)
        wx, wy = table[int((at_x - x0) * phases + 0.5)], table[int((at_y - y0) * phases + 0.5)]
        near = mask[min(max(int(at_y + 0.5), 0), rows - 1), min(max(int(at_x + 0.5), 0), columns - 1)]
        out[k], out_variance[k], bits = _careful_pixel(image, variance, mask, x0, y0, wx, wy, fatal, share)
        out_mask[k] = bits | (near & ~fatal)


@numba.njit(cache=True, nogil=True)
def _resample(
    image: Float32Array, variance: Float32Array, mask: Uint16Array, nodes: Float64Array, step: int,
    table: Float32Array, fatal: int, share: float, out: Float32Array, out_variance: Float32Array,
    out_mask: Uint16Array,
) -> None:  # fmt: skip
    """Fill the output arrays, by runs of pixels between two nodes; see `resample`."""
    rows, columns = out.shape
    counts = _count_bad(image, mask, fatal)
    for row in range(rows):
        j = row // step
        v = (row - j * step) / step
        for i in range(-(-columns // step)):
            first, last = i * step, min((i + 1) * step, columns)
            x = nodes[0, j, i] * (1 - v) + nodes[0, j + 1, i] * v
            y = nodes[1, j, i] * (1 - v) + nodes[1, j + 1, i] * v
            dx = (nodes[0, j, i + 1] * (1 - v) + nodes[0, j + 1, i + 1] * v - x) / step
            dy = (nodes[1, j, i + 1] * (1 - v) + nodes[1, j + 1, i + 1] * v - y) / step
            run = out[row, first:last], out_variance[row, first:last], out_mask[row, first:last]
            length = last - first - 1
            if _is_clean(counts, x, y, x + length * dx, y + length * dy):
                _clean_run(image, variance, mask, x, y, dx, dy, table, fatal, *run)
            else:
                _careful_run(image, variance, mask, counts, x, y, dx, dy, table, fatal, share, *run)


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
