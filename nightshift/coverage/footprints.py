"""Which HEALPix pixels lie in the footprints of images: those whose centre does.

Everything is computed with unit vectors, so that right ascension zero and the poles are places like any other.
"""

import math
from typing import NamedTuple

import numpy as np
from astropy_healpix.core import healpix_to_xyz, xyz_to_healpix

__all__ = ["Covered", "covered_pixels", "pixel_area_deg2", "pixels_of_sky", "unit_vectors"]

STEPS_PER_PIXEL = 2.5  # places that are looked up along the side of a pixel
LARGEST_DEG = 60.0  # across a footprint: larger ones are no image's
AT_ONCE = 2_000_000  # places


class Covered(NamedTuple):
    """One row for each pixel in each footprint."""

    footprint: np.ndarray  # index
    pixel: np.ndarray  # NESTED


def pixels_of_sky(order: int) -> int:
    """Return how many pixels the whole sky has."""
    return 12 << (2 * order)


def pixel_area_deg2(order: int) -> float:
    """Return the area of each pixel, in square degrees."""
    return 4 * math.pi * math.degrees(1) ** 2 / pixels_of_sky(order)


def unit_vectors(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return places on the sky as vectors, in the last axis."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def covered_pixels(corners_deg: np.ndarray, order: int) -> Covered:
    """Return the pixels whose centre lies in each footprint.

    Parameters
    ----------
    corners_deg : ndarray, shape (footprints, 4, 2)
        RA and Dec of the corners of convex quadrilaterals, in order around each, either way around. The sides are
        great circles.
    order : int
        Of the HEALPix pixels.

    Returns
    -------
    Covered
        In no particular order. A footprint that is no quadrilateral on the sky (a corner that is not a number, more
        than 60 degrees across, or flat) covers none.
    """
    corners = unit_vectors(corners_deg[..., 0], corners_deg[..., 1])
    sides, across = _sizes_deg(corners)
    usable = np.flatnonzero(np.isfinite(across) & (across < LARGEST_DEG))
    if not usable.size:
        return Covered(np.empty(0, np.int64), np.empty(0, np.int64))
    steps = np.full(len(corners), 2)
    steps[usable] = np.ceil(sides[usable] / math.sqrt(pixel_area_deg2(order)) * STEPS_PER_PIXEL).astype(int) + 2
    parts = [_of_alike(corners, group, order, number) for number, group in _alike(steps, usable)]
    return Covered(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _sizes_deg(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the longest side of each footprint, and its longest side or diagonal."""
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=-1).max(axis=-1)
    diagonals = np.linalg.norm(corners[:, :2] - corners[:, 2:], axis=-1).max(axis=-1)
    longest = np.maximum(sides, diagonals)
    return _angle_deg(sides), _angle_deg(longest)


def _angle_deg(chord: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1))))


def _alike(steps: np.ndarray, usable: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return groups of footprints that are looked up with as many places, each small enough for the memory."""
    groups = []
    for number in np.unique(steps[usable]):
        members = usable[steps[usable] == number]
        most = max(1, AT_ONCE // int(number) ** 2)
        groups += [(int(number), members[i : i + most]) for i in range(0, len(members), most)]
    return groups


def _of_alike(corners: np.ndarray, group: np.ndarray, order: int, steps: int) -> Covered:
    """Look up places all over each footprint, and keep the pixels found whose centre is inside."""
    number = pixels_of_sky(order)
    found = xyz_to_healpix(*_places(corners[group], steps).reshape(-1, 3).T, 2**order, order="nested")
    named = (found.reshape(len(group), -1) + number * np.arange(len(group))[:, None]).ravel()
    named = named[np.r_[True, named[1:] != named[:-1]]]  # neighbours are mostly alike, and sorting is dear
    member, pixel = np.divmod(np.unique(named), number)
    inside = _inside(corners[group], member, np.stack(healpix_to_xyz(pixel, 2**order, order="nested"), axis=-1))
    return Covered(group[member[inside]], pixel[inside])


def _places(corners: np.ndarray, steps: int) -> np.ndarray:
    """Return a grid of directions over each footprint, its sides included."""
    along = np.linspace(0, 1, steps)
    u, v = (axis.reshape(1, -1, 1) for axis in np.meshgrid(along, along))
    a, b, c, d = (corners[:, k, None, :] for k in range(4))
    places = (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d
    return np.asarray(places / np.linalg.norm(places, axis=-1, keepdims=True))


def _inside(corners: np.ndarray, member: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Say which centres lie on one side of all four great circles of their footprint, and not opposite to it."""
    sides = np.cross(corners, np.roll(corners, -1, axis=1))
    which_side = np.stack([np.einsum("pk,pk->p", sides[member, s], centres) for s in range(4)], axis=-1)
    near = np.einsum("pk,pk->p", corners.sum(axis=1)[member], centres) > 0
    flat = np.linalg.norm(sides, axis=-1).max(axis=-1)[member] == 0
    one_side = (which_side >= 0).all(axis=-1) | (which_side <= 0).all(axis=-1)
    return np.asarray(near & ~flat & one_side)
