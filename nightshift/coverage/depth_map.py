"""A map of the sky: how many exposures each pixel has, and how deep they are together.

Depths are added as inverse variances, which are kept as whole numbers: then a sum is the same in whatever order it
was made, and what was added can be taken away again without a rest.
"""

from dataclasses import dataclass

import numpy as np

from nightshift.coverage.footprints import Covered, pixel_area_deg2, pixels_of_sky

__all__ = ["SIGMAS", "WEIGHT_ONE_MAG", "DepthMap", "depth_of_weight", "map_of", "weight_of_depth"]

SIGMAS = 5  # of the limiting magnitude
WEIGHT_ONE_MAG = 8.0  # limiting magnitude of an exposure of weight 1
DEEPEST_MAG = 29.0  # a frame that claims more is counted, and its depth is not believed


def weight_of_depth(limiting_magnitude: np.ndarray) -> np.ndarray:
    """Return inverse variances, in units of that of an exposure whose limit is magnitude 8, as whole numbers.

    The noise of a flux is a fifth of the flux of a source at the limit of five sigma, 10^(-0.4 m), so that its
    inverse variance goes as 10^(0.8 m). A magnitude that is not known, or that no telescope reaches, has none.
    """
    known = np.isfinite(limiting_magnitude) & (limiting_magnitude <= DEEPEST_MAG)
    exponent = 0.8 * (np.where(known, limiting_magnitude, -np.inf) - WEIGHT_ONE_MAG)
    return np.asarray(np.rint(10.0**exponent).astype(np.int64))


def depth_of_weight(weight: np.ndarray) -> np.ndarray:
    """Return the limiting magnitude of five sigma that a sum of inverse variances reaches; NaN where it is zero."""
    some = weight > 0
    depth = np.full(weight.shape, np.nan)
    depth[some] = WEIGHT_ONE_MAG + 1.25 * np.log10(weight[some])
    return depth


@dataclass(frozen=True, eq=False)
class DepthMap:
    """The pixels that have something, in rising order.

    Parameters
    ----------
    order : int
        Of the HEALPix pixels.
    pixels : ndarray of int64
        NESTED.
    exposures : ndarray of int64
        How many exposures cover the pixel's centre.
    weights : ndarray of int64
        The sum of their inverse variances, in the units of `weight_of_depth`.
    """

    order: int
    pixels: np.ndarray
    exposures: np.ndarray
    weights: np.ndarray

    @classmethod
    def empty(cls, order: int) -> "DepthMap":
        """Return a map of nothing."""
        none = np.empty(0, np.int64)
        return cls(order, none, none, none)

    @property
    def depth(self) -> np.ndarray:
        """Limiting magnitude (5 sigma) of a point source in all exposures of the pixel together."""
        return depth_of_weight(self.weights)

    @property
    def area_deg2(self) -> float:
        """The area that was seen at least once, in square degrees."""
        return len(self.pixels) * pixel_area_deg2(self.order)

    def plus(self, *others: "DepthMap") -> "DepthMap":
        """Return the sum with other maps of the same order."""
        return _sum(self.order, (self, *others), (1,) * (1 + len(others)))

    def minus(self, other: "DepthMap") -> "DepthMap":
        """Return it without another map that was added before."""
        return _sum(self.order, (self, other), (1, -1))

    def same_as(self, other: "DepthMap") -> bool:
        """Whether both say the same of every pixel."""
        mine, its = ((m.pixels, m.exposures, m.weights) for m in (self, other))
        return self.order == other.order and all(map(np.array_equal, mine, its))


def _sum(order: int, maps: tuple[DepthMap, ...], signs: tuple[int, ...]) -> DepthMap:
    if wrong := sorted({each.order for each in maps} - {order}):
        raise ValueError(f"maps of order {wrong} are not added to one of order {order}")
    return _gathered(
        order,
        np.concatenate([each.pixels for each in maps]),
        np.concatenate([sign * each.exposures for each, sign in zip(maps, signs, strict=True)]),
        np.concatenate([sign * each.weights for each, sign in zip(maps, signs, strict=True)]),
    )


def _gathered(order: int, pixels: np.ndarray, exposures: np.ndarray, weights: np.ndarray) -> DepthMap:
    """Return a map with each pixel once; those that have no exposure left are not in it."""
    if not pixels.size:
        return DepthMap.empty(order)
    by = np.argsort(pixels, kind="stable")
    pixels = pixels[by]
    starts = np.flatnonzero(np.r_[True, pixels[1:] != pixels[:-1]])
    counts = np.add.reduceat(exposures[by], starts)
    sums = np.add.reduceat(weights[by], starts)
    left = counts != 0
    return DepthMap(order, pixels[starts][left], counts[left], sums[left])


def map_of(order: int, covered: Covered, exposures: np.ndarray, limiting_magnitudes: np.ndarray) -> DepthMap:
    """Return the map of some images.

    Parameters
    ----------
    order : int
    covered : Covered
        Which image covers which pixels.
    exposures : ndarray
        Of each image, the number of its exposure: where two images of one exposure overlap, it counts once, as deep
        as the deeper of the two.
    limiting_magnitudes : ndarray
        Of each image; NaN where it is not known.
    """
    number = pixels_of_sky(order)
    weights = weight_of_depth(limiting_magnitudes)[covered.footprint]
    named = exposures[covered.footprint].astype(np.int64) * number + covered.pixel
    by = np.lexsort((-weights, named))
    first = by[np.flatnonzero(np.r_[True, np.diff(named[by]) != 0])] if by.size else by
    return _gathered(order, covered.pixel[first], np.ones(len(first), np.int64), weights[first])
