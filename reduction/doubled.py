"""Stars that come in pairs of one separation: the telescope moved, in a jump, while the shutter was open."""

import numpy as np

__all__ = ["common_separation"]

BRIGHTEST = 300  # sources that are looked at
FARTHEST_PX = 20


def common_separation(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the separation that most sources have to another one, and the share of them that have it.

    Parameters
    ----------
    x, y : ndarray of float, shape (sources,)
        Pixels, brightest first.

    Returns
    -------
    separation : float
        Pixels, 0 where no two sources are within 20 of each other.
    share : float
        Of the brightest 300; 1 where all of them are pairs with one and the same step from star to star. By chance
        it is the number of sources in 8 square pixels.
    """
    x, y = x[:BRIGHTEST], y[:BRIGHTEST]
    right, up = x[None, :] - x[:, None], y[None, :] - y[:, None]
    forward = (right > 0) | ((right == 0) & (up > 0))  # each pair once
    near = forward & (right < FARTHEST_PX) & (np.abs(up) < FARTHEST_PX)
    if not near.any():
        return 0.0, 0.0
    edges = np.arange(-FARTHEST_PX - 1, FARTHEST_PX + 2)
    counts = np.histogram2d(right[near], up[near], bins=(edges, edges))[0]
    boxes = counts[1:, 1:] + counts[1:, :-1] + counts[:-1, 1:] + counts[:-1, :-1]  # a step may lie on a bin's edge
    i, j = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return float(np.hypot(edges[i + 1], edges[j + 1])), float(2 * boxes[i, j] / len(x))
