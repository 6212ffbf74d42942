"""The camera's own signature: bias structure, dark current, response, defects, cosmic rays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nightshift.settings import Quadrant
from rehearsal.simulator.geometry import UnitGeometry
from rehearsal.simulator.image_sections import bounds, data_bounds
from rehearsal.simulator.seeds import generator

__all__ = [
    "OVERSCAN_COLUMNS",
    "CosmicRays",
    "Signature",
    "bent",
    "cosmic_rays",
    "electrons_at",
    "response",
    "signature",
]

OVERSCAN_COLUMNS = 30  # of an overscan that is an image of its own
DARK_CURRENT = 0.05  # electrons a second
WARM_PIXELS, WARM_CURRENT = 4e-4, 8.0  # share of the pixels; mean electrons a second
COSMIC_RAYS = 1.0e-6  # a pixel and second
LINEARITY_NODES = 4097
VIGNETTING = 0.18  # loss of light at the camera's farthest pixel


@dataclass(frozen=True)
class Signature:
    """What never changes of one quadrant.

    Parameters
    ----------
    bias : ndarray of float32, shape of the raw image
        ADU.
    overscan : ndarray of float32, shape (rows, 30), or None
        ADU, where the overscan is an image of its own.
    dark : ndarray of float32, shape of the data
        Electrons a second.
    pixel_response : ndarray of float32, shape of the data
        Of each pixel, about 1; without vignetting and dust.
    defects : ndarray of bool, shape of the data
        Dead and hot columns, and warm pixels that matter.
    """

    bias: np.ndarray
    overscan: np.ndarray | None
    dark: np.ndarray
    pixel_response: np.ndarray
    defects: np.ndarray


@dataclass(frozen=True)
class CosmicRays:
    """Charge that radiation left. Rows and columns may repeat.

    Parameters
    ----------
    rows, columns : ndarray of int32, shape (n,)
    electrons : ndarray of float64, shape (n,)
    """

    rows: np.ndarray
    columns: np.ndarray
    electrons: np.ndarray


def signature(seed: int, quadrant: Quadrant, detector: int) -> Signature:
    """Return the signature of a quadrant; the same for every exposure of a seed."""
    return _signature(seed, quadrant.model_dump_json(), detector)


@lru_cache(maxsize=8)
def _signature(seed: int, quadrant_json: str, detector: int) -> Signature:
    quadrant = Quadrant.model_validate_json(quadrant_json)
    random = generator(seed, "signature", detector, quadrant.id)
    x0, x1, y0, y1 = data_bounds(quadrant)
    shape = (y1 - y0, x1 - x0)
    level = random.uniform(900.0, 1200.0)
    ramp = _row_ramp(random, quadrant.shape[0])
    bias = level + ramp[:, None] + 1.5 * random.standard_normal(quadrant.shape[1])[None, :]
    bias = bias + 4.0 * np.exp(-np.arange(quadrant.shape[1]) / 60.0)[None, :]
    overscan = None
    if quadrant.overscan_extension is not None:
        overscan = np.repeat(level + ramp[:, None], OVERSCAN_COLUMNS, axis=1).astype(np.float32)
    if quadrant.overscan_section is not None:
        ox0, ox1, oy0, oy1 = bounds(quadrant.overscan_section)
        bias[oy0:oy1, ox0:ox1] = level + ramp[oy0:oy1, None]
    dark = np.full(shape, DARK_CURRENT)
    warm = random.random(shape) < WARM_PIXELS
    dark[warm] += random.exponential(WARM_CURRENT, int(warm.sum()))
    pixels = 1.0 + 0.008 * random.standard_normal(shape)
    defects = dark > 5.0
    dead, hot = random.choice(np.arange(8, shape[1] - 8), 2, replace=False)
    dead_from, hot_from = (int(shape[0] * f) for f in random.uniform(0.0, 0.8, 2))
    pixels[dead_from:, dead] = 0.05
    bias[y0 + hot_from : y1, x0 + hot] += 250.0
    defects[dead_from:, dead] = True
    defects[hot_from:, hot] = True
    as_float = np.float32
    return Signature(bias.astype(as_float), overscan, dark.astype(as_float), pixels.astype(as_float), defects)


def _row_ramp(random: np.random.Generator, rows: int) -> np.ndarray:
    y = np.linspace(0.0, 1.0, rows)
    return random.uniform(3.0, 8.0) * y + 2.0 * np.sin(2 * np.pi * random.uniform(0.5, 2.0) * y)


def response(
    seed: int, quadrant: Quadrant, detector: int, filter_name: str, geometry: UnitGeometry, radius_arcsec: float
) -> np.ndarray:
    """Return the response of each pixel in a filter, median 1: vignetting, dust, pixels.

    Returns
    -------
    ndarray of float32, shape of the data
    """
    return _response(seed, quadrant.model_dump_json(), detector, filter_name, geometry, radius_arcsec)


@lru_cache(maxsize=16)
def _response(
    seed: int, quadrant_json: str, detector: int, name: str, geometry: UnitGeometry, radius: float
) -> np.ndarray:
    quadrant = Quadrant.model_validate_json(quadrant_json)
    random = generator(seed, "dust", detector, quadrant.id, name)
    rows, columns = geometry.shape
    y, x = np.arange(rows)[:, None], np.arange(columns)[None, :]
    u, v = geometry.focal(x, y)
    light = 1.0 - VIGNETTING * ((u**2 + v**2) / radius**2) ** 1.5
    across, along, phase = random.uniform(1.0, 3.0), random.uniform(1.0, 3.0), random.uniform(0.0, 6.28, 2)
    waves = np.sin(across * x / columns * 6.28 + phase[0]) * np.sin(along * y / rows * 6.28 + phase[1])
    light *= 1.0 + 0.004 * waves  # the coating is not of one thickness
    light = light * _signature(seed, quadrant_json, detector).pixel_response
    for _ in range(1 + random.poisson(rows * columns / 50_000)):
        cx, cy, size = random.uniform(0, columns), random.uniform(0, rows), random.uniform(9.0, 22.0)
        box = _around(cy, size, rows), _around(cx, size, columns)
        distance = np.hypot(x[0, box[1]] - cx, y[box[0]] - cy) / size
        ring = np.clip(1.0 - np.abs(distance - 0.65) / 0.35, 0.0, 1.0)  # a doughnut: the pupil, out of focus
        light[box] *= 1.0 - random.uniform(0.02, 0.06) * ring
    relative: np.ndarray = (light / np.median(light)).astype(np.float32)
    return relative


def _around(centre: float, size: float, length: int) -> slice:
    return slice(max(0, int(centre - size)), min(length, int(centre + size) + 2))


def cosmic_rays(random: np.random.Generator, shape: tuple[int, int], exposure_s: float) -> CosmicRays:
    """Draw the cosmic rays of one image: short tracks and points of about 1,500 electrons a pixel."""
    rows, columns = shape
    points: list[np.ndarray] = []
    for _ in range(random.poisson(COSMIC_RAYS * rows * columns * exposure_s)):
        length = min(random.exponential(4.0), 60.0)
        steps = 1 + int(4 * length)
        angle = random.uniform(0.0, 2 * np.pi)
        along = np.arange(steps) / 4.0
        y = random.uniform(0, rows) + along * np.sin(angle)
        x = random.uniform(0, columns) + along * np.cos(angle)
        charge = random.lognormal(np.log(1500.0), 0.7) / min(steps, 4) * random.uniform(0.6, 1.4, steps)
        points.append(np.stack([y, x, charge]))
    track = np.concatenate(points, axis=1) if points else np.empty((3, 0))
    inside = (track[0] >= 0) & (track[0] < rows) & (track[1] >= 0) & (track[1] < columns)
    track = track[:, inside]
    return CosmicRays(track[0].astype(np.int32), track[1].astype(np.int32), track[2])


def electrons_at(quadrant: Quadrant, counts: float) -> float:
    """Return the charge that an amplifier turns into so many ADU above its bias."""
    if quadrant.linearity is None:
        return counts * quadrant.gain
    most = quadrant.linearity.most(quadrant.saturation)
    inside = min(counts, most)
    return quadrant.linearity.at(inside) * counts / inside * quadrant.gain


def bent(counts: np.ndarray, quadrant: Quadrant) -> np.ndarray:
    """Return what an amplifier makes of counts proportional to light: the opposite of its linearity's correction.

    Parameters
    ----------
    counts : ndarray of float32
        ADU above the bias, as are the returned.
    """
    linearity = quadrant.linearity
    if linearity is None:
        return counts
    most = linearity.most(quadrant.saturation)
    nodes = np.array(linearity.nodes(quadrant.saturation, LINEARITY_NODES))
    inside = np.interp(counts, nodes, np.linspace(0.0, most, LINEARITY_NODES))
    read: np.ndarray = np.where(counts > nodes[-1], counts * (most / nodes[-1]), inside).astype(np.float32)
    return read
