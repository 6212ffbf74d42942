"""Maps of coverage as files: HEALPix in FITS, and MOCs. The same map gives the same bytes."""

import io
import json
from collections.abc import Mapping
from datetime import date
from functools import reduce

import numpy as np
from astropy.io import fits
from mocpy import MOC

from nightshift.coverage.depth_map import SIGMAS, WEIGHT_ONE_MAG, DepthMap
from nightshift.coverage.map_keys import MapKey

__all__ = ["fits_of_map", "fits_of_moc", "json_of_moc", "map_of_fits", "moc_of_maps"]

CHECKED = "sum of the whole extension"  # beside CHECKSUM, where astropy writes when it was computed
NIGHTS = "NIGHTS"


def fits_of_map(key: MapKey, depth_map: DepthMap, nights: Mapping[date, str] | None = None) -> bytes:
    """Return a map as a FITS file: a table with explicit pixels, as HEALPix software reads it.

    Parameters
    ----------
    key : MapKey
    depth_map : DepthMap
    nights : mapping of date to str, optional
        Of a cumulative map: the sha256 of each night's map that it is the sum of; a second table lists them.
    """
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("PIXEL", "J", array=depth_map.pixels.astype(np.int32)),
            fits.Column("EXPOSURES", "J", array=depth_map.exposures.astype(np.int32)),
            fits.Column("DEPTH", "E", unit="mag", array=depth_map.depth.astype(np.float32)),
            fits.Column("WEIGHT", "K", array=depth_map.weights),
        ],
        name="COVERAGE",
    )
    for keyword, (value, comment) in _cards(key, depth_map).items():
        table.header[keyword] = (value, comment)
    units = [fits.PrimaryHDU(), table] + ([_table_of_nights(nights)] if nights is not None else [])
    return _bytes_of(fits.HDUList(units))


def _cards(key: MapKey, depth_map: DepthMap) -> dict[str, tuple[object, str]]:
    when = {"NIGHT": (f"{key.night:%Y-%m-%d}", "date of the night's evening")} if key.night else {}
    return {
        "PIXTYPE": ("HEALPIX", "HEALPix pixels"),
        "ORDERING": ("NESTED", "their numbering"),
        "NSIDE": (2**key.order, "2 to the order"),
        "ORDER": (key.order, "of the pixels"),
        "INDXSCHM": ("EXPLICIT", "each row says its pixel"),
        "OBJECT": ("PARTIAL", "pixels that were not seen have no row"),
        "COORDSYS": ("C", "equatorial, ICRS"),
        "OBS_NPIX": (len(depth_map.pixels), "number of pixels that were seen"),
        "GRAIN": (1, "pixels of a row"),
        "SITE": (key.site, "whose nights"),
        "INSTRUME": (key.instrument, "camera"),
        "FILTER": (key.filter, ""),
        **when,
        "DEPTHSIG": (SIGMAS, "sigma of a point source at DEPTH"),
        "ZPKIND": (key.zero_points, "zero points of the magnitudes"),
        "WZERO": (WEIGHT_ONE_MAG, "DEPTH = WZERO + 1.25 log10(WEIGHT)"),
    }


def _table_of_nights(nights: Mapping[date, str]) -> fits.BinTableHDU:
    ordered = sorted(nights.items())
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("NIGHT", "10A", array=np.array([night.isoformat() for night, _ in ordered], "S10")),
            fits.Column("SHA256", "64A", array=np.array([sha256 for _, sha256 in ordered], "S64")),
        ],
        name=NIGHTS,
    )
    table.header.add_comment("The nights whose maps are summed here, and the sha256 of their files.")
    return table


def _bytes_of(units: fits.HDUList) -> bytes:
    stream = io.BytesIO()
    for unit in units:
        unit.add_checksum(when=CHECKED)
    units.writeto(stream)
    return stream.getvalue()


def map_of_fits(content: bytes) -> tuple[DepthMap, dict[date, str]]:
    """Return the map of a file, and of a cumulative one the nights that it is the sum of."""
    with fits.open(io.BytesIO(content), memmap=False) as units:
        header, rows = units["COVERAGE"].header, units["COVERAGE"].data
        names = ("PIXEL", "EXPOSURES", "WEIGHT")
        columns = [np.asarray(rows[name]).astype(np.int64) for name in names]
        listed = units[NIGHTS].data if NIGHTS in units else ()
        nights = {date.fromisoformat(row["NIGHT"]): str(row["SHA256"]) for row in listed}
    return DepthMap(int(header["ORDER"]), *columns), nights


def moc_of_maps(maps: Mapping[MapKey, DepthMap]) -> MOC:
    """Return the part of the sky that some maps cover together, none of which need be of the same order."""
    order = max((key.order for key in maps), default=0)
    parts = [
        MOC.from_healpix_cells(each.pixels.astype(np.uint64), np.uint8(key.order), max_depth=order)
        for key, each in maps.items()
        if len(each.pixels)
    ]
    return reduce(MOC.union, parts, MOC.new_empty(order))


def fits_of_moc(moc: MOC) -> bytes:
    """Return a MOC as a FITS file that readers of either version of the standard read."""
    units: fits.HDUList = moc.serialize(format="fits", v1_compatible=True)
    return _bytes_of(units)


def json_of_moc(moc: MOC) -> bytes:
    """Return a MOC as JSON: by order, the numbers of its pixels."""
    return json.dumps(moc.serialize(format="json"), sort_keys=True).encode() + b"\n"
