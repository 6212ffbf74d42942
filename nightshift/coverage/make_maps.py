"""A night's maps, and those of all nights so far: made when the night is accounted for, and again when it changed.

The map of all nights is the sum of the nights' maps. It lists which it holds, so that a night that is mapped again
takes the place of what it gave before. Sums are of whole numbers, and so they are the same, byte for byte, in
whatever order the nights were mapped.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from nightshift.context import Context
from nightshift.coverage.depth_map import DepthMap, map_of
from nightshift.coverage.footprints import covered_pixels
from nightshift.coverage.map_files import fits_of_map, fits_of_moc, json_of_moc, moc_of_maps
from nightshift.coverage.map_keys import MapKey
from nightshift.coverage.stored_maps import (
    MAP,
    Made,
    WholeMap,
    folder_of,
    put_product,
    read_map,
    stored_maps,
    whole_map,
)
from nightshift.keys import LIVE
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.months import check_is_here
from nightshift.ledger.queries import coverage as coverage_queries
from nightshift.ledger.queries.coverage import CoverageProduct, ImageOnSky
from nightshift.settings import Camera, Survey
from nightshift.settings.coverage import order_for
from nightshift.vocabulary import Tier

__all__ = ["Mapped", "map_night", "order_of"]

LOCK_S = 300.0  # another night of the site is being mapped

Maps = dict[MapKey, DepthMap]
Inputs = tuple[tuple[str, str, str], ...]  # role, key, sha256


@dataclass(frozen=True)
class Mapped:
    """What was mapped of a night.

    Parameters
    ----------
    images : int
        Of which the place on the sky is known.
    maps : tuple of MapKey
        Of the night.
    changed : int
        How many files were written: of the night and of all nights.
    """

    images: int
    maps: tuple[MapKey, ...]
    changed: int

    def __str__(self) -> str:
        return f"{self.images} images in {len(self.maps)} maps; {self.changed} files changed"


def order_of(survey: Survey) -> int:
    """Return the HEALPix order of a camera's maps."""
    return survey.coverage.order or order_for(_quadrant_side_deg(survey.camera))


def _quadrant_side_deg(camera: Camera) -> float:
    """Return the shortest side of the camera's quadrants, by its settings."""
    return min(min(q.data_shape) for q in camera.quadrants) * camera.pixel_scale_arcsec / 3600


def map_night(context: Context, night: date) -> Mapped:
    """Make the maps of a night, and bring those of all nights up to it.

    May run again: where nothing changed nothing is written. A night that has lost its images since keeps its maps,
    which are empty then.

    Parameters
    ----------
    context : Context
        Of one site, with the settings of the night.
    night : date

    Raises
    ------
    NeedsOperator
        If a map of an earlier night is needed and lost.
    BadInput
        If the night's month has left the ledger, and its images with it.
    """
    check_is_here(context.ledger, context.site, night)
    with advisory_lock(context.ledger, LockedWork.COVERAGE, context.site.name, wait_s=LOCK_S):
        before = stored_maps(context)
        images, maps, inputs = _maps_of_images(context, night, before)
        former = {key: whole_map(context, before.get(key)) for key in maps}  # before they are replaced
        changed = 0
        for key, depth_map in maps.items():
            made = Made(str(key), MAP, key.file_name, fits_of_map(key, depth_map), inputs.get(key, ()))
            changed += put_product(context, night, folder_of(context, night), made)
        if maps:
            changed += _put_mocs(context, night, night, maps)
        changed += _sum_up(context, night, maps, former)
    return Mapped(images, tuple(maps), changed)


def _maps_of_images(
    context: Context, night: date, before: Iterable[MapKey]
) -> tuple[int, Maps, dict[MapKey, Inputs]]:
    """Return how many images there are, their maps, and from what each was made; the night's others are empty."""
    maps: Maps = {key: DepthMap.empty(key.order) for key in before if key.night == night}
    inputs: dict[MapKey, Inputs] = {}
    count = 0
    for survey in context.deployment.surveys:
        for key, images in _images_by_map(context, survey, night).items():
            maps[key] = _map_of_images(key, images)
            inputs[key] = (("measurements", f"{key}/images", _hash_of(images)),)
            count += len(images)
    return count, dict(sorted(maps.items())), inputs


def _images_by_map(context: Context, survey: Survey, night: date) -> Mapping[MapKey, list[ImageOnSky]]:
    instrument, order = survey.camera.instrument, order_of(survey)
    images = coverage_queries.images_of_night(
        context.ledger, site=context.site.name, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE
    )
    groups: dict[MapKey, list[ImageOnSky]] = defaultdict(list)
    for image in images:
        groups[MapKey(context.site.name, instrument, image.filter, image.relative, order, night)].append(image)
    return groups


def _map_of_images(key: MapKey, images: list[ImageOnSky]) -> DepthMap:
    corners = np.array([image.corners_deg for image in images], float).reshape(-1, 4, 2)
    _, exposures = np.unique([image.exposure_id for image in images], return_inverse=True)
    limits = np.array([image.limiting_magnitude for image in images], float)  # None becomes NaN
    return map_of(key.order, covered_pixels(corners, key.order), exposures, limits)


def _hash_of(images: list[ImageOnSky]) -> str:
    rows = [[image.unit_key, image.limiting_magnitude, image.corners_deg] for image in images]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _put_mocs(context: Context, night: date, of_night: date | None, maps: Maps) -> int:
    """Write what part of the sky each instrument saw, in any filter: of a night, or (None) of all."""
    stored, changed = stored_maps(context), 0
    for instrument in sorted({key.instrument for key in maps}):
        own = {key: depth_map for key, depth_map in maps.items() if key.instrument == instrument}
        when = f"{of_night:%Y%m%d}" if of_night else "cumulative"
        unit_key = f"coverage/{context.site.name}/{when}/{instrument}"
        moc, name = moc_of_maps(own), f"coverage_{when}_{instrument}_moc"
        inputs = tuple(("coverage", f"{key}/{MAP}", stored[key].sha256) for key in own)
        for kind, content, suffix in (
            ("coverage_moc", fits_of_moc(moc), "fits"),
            ("coverage_moc_json", json_of_moc(moc), "json"),
        ):
            made = Made(unit_key, kind, f"{name}.{suffix}", content, inputs)
            changed += put_product(context, night, folder_of(context, of_night), made)
    return changed


# --- all nights ---------------------------------------------------------------------------------------------


def _sum_up(context: Context, night: date, maps: Maps, former: Mapping[MapKey, WholeMap | None]) -> int:
    """Write the maps of all nights that are not the sum of the nights' maps as these are now."""
    stored = stored_maps(context)
    changed = 0
    for of_night, depth_map in maps.items():
        key = of_night.cumulative
        rows = {k.night: row for k, row in stored.items() if k.night and k.cumulative == key}
        nights = {day: row.sha256 for day, row in rows.items()}
        held = whole_map(context, stored.get(key))
        if held and held.nights == nights:
            continue
        total = _replaced(held, nights, night, former[of_night], depth_map) or _summed(context, key, rows.values())
        inputs = tuple(("coverage", f"{row.unit_key}/{MAP}", row.sha256) for row in rows.values())
        made = Made(str(key), MAP, key.file_name, fits_of_map(key, total, nights), inputs)
        changed += put_product(context, night, folder_of(context, None), made)
    if changed:
        of_all = {key: row for key, row in stored_maps(context).items() if key.night is None}
        changed += _put_mocs(context, night, None, {key: read_map(context, row) for key, row in of_all.items()})
    return changed


def _replaced(
    held: WholeMap | None, nights: Mapping[date, str], night: date, former: WholeMap | None, new: DepthMap
) -> DepthMap | None:
    """Return a sum with one night's map in place of the former; None where it lacks more than that one."""
    if held is None or {**held.nights, night: ""} != {**nights, night: ""}:
        return None
    if night not in held.nights:
        return held.depth_map.plus(new)
    if former is None or former.sha256 != held.nights[night]:
        return None
    return held.depth_map.minus(former.depth_map).plus(new)


def _summed(context: Context, key: MapKey, rows: Iterable[CoverageProduct]) -> DepthMap:
    """Return the sum of the nights' maps, from their files."""
    total = DepthMap.empty(key.order)
    for row in rows:
        total = total.plus(read_map(context, row))
    return total
