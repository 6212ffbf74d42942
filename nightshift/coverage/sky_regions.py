"""Parts of a map that hang together, to be shown each by itself."""

from dataclasses import dataclass

import numpy as np
from astropy_healpix.core import healpix_to_xyz, neighbours

from nightshift.coverage.depth_map import DepthMap
from nightshift.coverage.footprints import pixel_area_deg2

__all__ = ["SkyRegion", "regions_of"]

COARSER = 3  # orders: pixels of about a quadrant's size, so that a gap between detectors parts nothing


@dataclass(frozen=True)
class SkyRegion:
    """A part of the sky that was seen.

    Parameters
    ----------
    centre : ndarray
        A unit vector.
    radius_deg : float
        Of the circle about the centre that holds all of it.
    area_deg2 : float
    """

    centre: np.ndarray
    radius_deg: float
    area_deg2: float

    @property
    def ra_deg(self) -> float:
        """Of the centre."""
        return float(np.degrees(np.arctan2(self.centre[1], self.centre[0])) % 360)

    @property
    def dec_deg(self) -> float:
        """Of the centre."""
        return float(np.degrees(np.arcsin(np.clip(self.centre[2], -1, 1))))


def regions_of(depth_map: DepthMap) -> list[SkyRegion]:
    """Return the parts of a map that hang together, the largest first."""
    if not len(depth_map.pixels):
        return []
    order = max(depth_map.order - COARSER, 0)
    coarse, member = np.unique(depth_map.pixels >> (2 * (depth_map.order - order)), return_inverse=True)
    part = _parts(coarse, order)[member]
    vectors = np.stack(healpix_to_xyz(depth_map.pixels, 2**depth_map.order, order="nested"), axis=-1)
    found = [_region(vectors[part == number], depth_map.order) for number in range(part.max() + 1)]
    return sorted(found, key=lambda region: (-region.area_deg2, region.ra_deg, region.dec_deg))


def _parts(pixels: np.ndarray, order: int) -> np.ndarray:
    """Return for each pixel, in rising order, the number of the part that it belongs to."""
    with np.errstate(invalid="ignore"):  # a few pixels have seven neighbours, and -1 for the eighth
        beside = neighbours(pixels, 2**order, order="nested").T
    place = np.searchsorted(pixels, beside).clip(max=len(pixels) - 1)
    beside_in_map = np.where(pixels[place] == beside, place, -1)
    part = np.full(len(pixels), -1)
    number = 0
    for first in range(len(pixels)):
        if part[first] < 0:
            reached = [first]
            while reached:
                one = reached.pop()
                part[one] = number
                reached += [int(k) for k in beside_in_map[one] if k >= 0 and part[k] < 0]
            number += 1
    return part


def _region(vectors: np.ndarray, order: int) -> SkyRegion:
    total = vectors.sum(axis=0)
    length = float(np.linalg.norm(total))
    centre = total / length if length > 0 else np.array([0.0, 0.0, 1.0])
    farthest = float(np.degrees(np.arccos(np.clip(vectors @ centre, -1, 1))).max())
    return SkyRegion(centre, farthest, len(vectors) * pixel_area_deg2(order))
