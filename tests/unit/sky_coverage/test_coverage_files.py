"""The files of maps are what HEALPix and MOC software reads, and the same map gives the same bytes."""

import io
import json
import shutil
import subprocess
from datetime import date

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy_healpix import HEALPix
from mocpy import MOC

from nightshift.coverage.depth_map import DepthMap, map_of
from nightshift.coverage.footprints import covered_pixels
from nightshift.coverage.map_files import fits_of_map, fits_of_moc, json_of_moc, map_of_fits, moc_of_maps
from nightshift.coverage.map_keys import MapKey

NIGHT = date(2026, 1, 15)
KEY = MapKey("demo", "democam", "g", False, 9, NIGHT)
FIELD = np.array([[[359.5, 19.5], [0.5, 19.5], [0.5, 20.5], [359.5, 20.5]]])


@pytest.fixture
def field_map():
    """Two exposures of a square degree across right ascension zero, of 20 and 21 mag."""
    corners = np.concatenate([FIELD, FIELD])
    return map_of(9, covered_pixels(corners, 9), np.array([0, 1]), np.array([20.0, 21.0]))


def opened(content):
    return fits.open(io.BytesIO(content), checksum=True)


def test_a_place_is_found_in_the_map_as_any_reader_does(field_map):
    with opened(fits_of_map(KEY, field_map)) as file:
        header, table = file[1].header, file[1].data
        grid = HEALPix(header["NSIDE"], order=header["ORDERING"].lower(), frame="icrs")
        here = table["PIXEL"] == grid.skycoord_to_healpix(SkyCoord(0.1 * units.deg, 20 * units.deg))
        assert table["EXPOSURES"][here] == [2]
        assert table["DEPTH"][here] == pytest.approx([21.0799], abs=1e-3)
        nowhere = grid.skycoord_to_healpix(SkyCoord(90 * units.deg, 20 * units.deg))
        assert nowhere not in table["PIXEL"]


def test_the_header_says_how_the_pixels_are_numbered(field_map):
    with opened(fits_of_map(KEY, field_map)) as file:
        header = file[1].header
        assert {k: header[k] for k in ("PIXTYPE", "ORDERING", "NSIDE", "INDXSCHM", "OBJECT", "COORDSYS")} == {
            "PIXTYPE": "HEALPIX", "ORDERING": "NESTED", "NSIDE": 512, "INDXSCHM": "EXPLICIT", "OBJECT": "PARTIAL",
            "COORDSYS": "C",
        }  # fmt: skip
        assert header["OBS_NPIX"] == header["NAXIS2"] == len(field_map.pixels) > 50
        assert header["TTYPE1"] == "PIXEL" and header["TUNIT3"] == "mag"
        assert (header["NIGHT"], header["FILTER"], header["ZPKIND"]) == ("2026-01-15", "g", "absolute")


def test_a_map_reads_back_as_it_was_written_with_the_nights_that_it_is_the_sum_of(field_map):
    back, nights = map_of_fits(fits_of_map(KEY, field_map))
    assert back.same_as(field_map) and nights == {}
    of = {date(2026, 1, 16): "b" * 64, NIGHT: "a" * 64}
    back, nights = map_of_fits(fits_of_map(KEY.cumulative, field_map, of))
    assert back.same_as(field_map) and nights == of
    empty, nights = map_of_fits(fits_of_map(KEY.cumulative, DepthMap.empty(9), {}))
    assert empty.same_as(DepthMap.empty(9)) and nights == {}


def test_the_same_map_gives_the_same_bytes(field_map):
    assert fits_of_map(KEY, field_map) == fits_of_map(KEY, field_map)
    moc = moc_of_maps({KEY: field_map})
    assert fits_of_moc(moc) == fits_of_moc(moc) and json_of_moc(moc) == json_of_moc(moc)


def test_the_moc_holds_what_was_seen_in_any_filter_and_nothing_else(field_map, tmp_path):
    other = MapKey("demo", "democam", "r", False, 10, NIGHT)
    far = np.array([[[90, -1], [91, -1], [91, 0], [90, 0]]], float)
    second = map_of(10, covered_pixels(far, 10), np.array([0]), np.array([20.0]))
    moc = moc_of_maps({KEY: field_map, other: second})
    (tmp_path / "moc.fits").write_bytes(fits_of_moc(moc))
    (tmp_path / "moc.json").write_bytes(json_of_moc(moc))
    for back in (MOC.load(tmp_path / "moc.fits"), MOC.load(tmp_path / "moc.json", format="json")):
        assert back == moc
        assert list(back.contains_lonlat([0.1, 90.5, 45] * units.deg, [20, -0.5, 20] * units.deg)) == [1, 1, 0]
        assert back.sky_fraction * 41253 == pytest.approx(field_map.area_deg2 + second.area_deg2, rel=1e-3)
    assert json.loads(json_of_moc(moc))["10"] is not None
    assert moc_of_maps({KEY: DepthMap.empty(9)}).empty()


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="fitsverify is not installed")
def test_fitsverify_finds_no_error_and_no_warning(field_map, tmp_path):
    files = {
        "night.fits": fits_of_map(KEY, field_map),
        "all.fits": fits_of_map(KEY.cumulative, field_map, {NIGHT: "a" * 64}),
        "empty.fits": fits_of_map(KEY, DepthMap.empty(9)),
        "moc.fits": fits_of_moc(moc_of_maps({KEY: field_map})),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        said = subprocess.run(["fitsverify", name], cwd=tmp_path, capture_output=True, text=True).stdout
        assert "0 warning(s) and 0 error(s)" in said, said


@pytest.mark.parametrize("key", [KEY, KEY.cumulative, MapKey("palomar", "ztf", "", True, 11, NIGHT)])
def test_a_key_reads_as_it_was_written(key):
    assert MapKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["democam/1/d01/q1/processed/live", "coverage/demo/20260115/democam", ""])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="no key of a map"):
        MapKey.parse(text)
