"""A folder of the depot, or of an attempt whose products went there, has its page without the ledger."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from nightshift import command_line
from nightshift.errors import BadInput
from nightshift.files import sha256_of
from nightshift.inspect.measured import named, said
from nightshift.inspect.page import page_of
from nightshift.inspect.places import checked_key, place_of_folder
from nightshift.inspect.products_at_hand import from_folder
from reduction.image.frame import Frame, write_frame

UNIT = "democam/20260116080000/d01/q1/processed/live"
FLAT = "flat/democam/d01/q1/g/20260115/e1/v1/live"
REFERENCE = "reference/000101/democam/d01/q1/g/v1/live"
NIGHT = "2026/0115"


def image(path: Path, **header) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).normal(1.0, 0.01, (40, 50)).astype(np.float32)
    frame = Frame(pixels, np.zeros(pixels.shape, np.uint16), np.full(pixels.shape, 1e-4, np.float32), header=header)
    with path.open("w+b") as stream:
        write_frame(stream, frame)


def attempt(depot: Path, job: str, kind: str, seconds: float, number: int = 1, ended=("succeeded", ""), **metrics):
    folder = depot / "work" / NIGHT / job / UNIT / f"a{number}"
    folder.mkdir(parents=True)
    product = depot / "processed" / NIGHT / UNIT / f"{kind}.fits"
    sha256 = sha256_of(product) if product.is_file() else "0" * 64
    told = {
        "unit_key": UNIT, "state": ended[0], "reason": ended[1], "metrics": metrics, "seconds": {"total": seconds},
        "products": [{"kind": kind, "name": f"{kind}.fits", "sha256": sha256, "inputs": []}],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def depot(tmp_path) -> Path:
    """One calibrated quadrant whose attempts' products are in the depot."""
    root = tmp_path / "depot"
    image(root / "processed" / NIGHT / UNIT / "calibrated.fits", FILTER="g", EXPTIME=30.0, FWHM=2.5)
    attempt(root, "science/democam/20260116080000/live", "calibrated", 2.0, fwhm_px=2.5, sources=7)
    attempt(root, "difference/democam/20260116080000/1/live", "difference", 1.0, difference={"noise_ratio": 1.02})
    return root


@pytest.mark.parametrize(
    ("below", "key", "found", "products"),
    [
        (f"processed/{NIGHT}/{UNIT}", "", UNIT, f"processed/{NIGHT}/{UNIT}"),
        (f"work/{NIGHT}/science/x/live/{UNIT}/a2", UNIT, UNIT, f"processed/{NIGHT}/{UNIT}"),
        (f"work/{NIGHT}/master/x/live/{FLAT}/a1", FLAT, FLAT, f"calibrations/{NIGHT}/{FLAT.removesuffix('/live')}"),
        (f"work/{NIGHT}/reference/x/{REFERENCE}/a1", REFERENCE, REFERENCE, "references/000101/democam/d01/q1/g/v1"),
        ("references/000101/democam/d01/q1/g/v1", "", REFERENCE, "references/000101/democam/d01/q1/g/v1"),
    ],
)
def test_a_path_says_which_key_it_is_of_and_where_its_products_are(tmp_path, below, key, found, products):
    place = place_of_folder(tmp_path / below, key)
    assert place.key == found
    assert place.products == tmp_path / products


def test_a_folder_that_is_in_no_depot_is_of_none(tmp_path):
    assert place_of_folder(tmp_path / "a1", UNIT) is None


def test_products_in_the_depot_are_shown_with_what_their_attempts_measured(depot):
    shown = from_folder(depot / "processed" / NIGHT / UNIT)
    assert (shown.key, shown.state) == (UNIT, "succeeded")
    assert shown.measurements["sources"] == 7
    assert shown.difference == {"noise_ratio": 1.02}
    assert shown.seconds == {"total": 3.0}
    page = page_of(shown)
    assert "filter g, 30 s" in page
    assert "noise ratio" in page


def test_the_last_attempt_is_the_differences_and_its_numbers_are_those_of_the_tenth(depot):
    science, difference = "science/democam/20260116080000/live", "difference/democam/20260116080000/{}/live"
    for number in (10, 2):
        attempt(depot, science, "calibrated", 2.0, number, ("succeeded", "no_reference"), sources=number)
    for version in (10, 2):
        attempt(depot, difference.format(version), "difference", 1.0, 1, ("failed", f"of_version_{version}"))
    shown = from_folder(depot / "processed" / NIGHT / UNIT)
    assert (shown.state, shown.reason, shown.measurements["sources"]) == ("failed", "of_version_10", 10)


def test_products_whose_attempts_are_gone_are_shown_with_what_their_header_keeps(depot):
    for result in (depot / "work").rglob("result.json"):
        result.unlink()
    shown = from_folder(depot / "processed" / NIGHT / UNIT)
    assert shown.measurements == {"fwhm_px": 2.5}
    assert "as it lies on disk" in page_of(shown)


def test_an_attempt_whose_products_went_into_the_depot_is_shown_from_there(depot):
    folder = depot / "work" / NIGHT / "science/democam/20260116080000/live" / UNIT / "a1"
    assert from_folder(folder).files == {"calibrated": depot / "processed" / NIGHT / UNIT / "calibrated.fits"}


def test_an_attempt_is_not_shown_with_the_image_of_another(depot):
    folder = depot / "work" / NIGHT / "science/democam/20260116080000/live" / UNIT / "a1"
    image(depot / "processed" / NIGHT / UNIT / "calibrated.fits", FILTER="r")
    with pytest.raises(BadInput, match="the products of this attempt are not there"):
        from_folder(folder)


def test_of_an_attempt_with_an_image_a_table_of_another_is_left_out_and_said(depot):
    folder = depot / "work" / NIGHT / "science/democam/20260116080000/live" / UNIT / "a1"
    told = json.loads((folder / "result.json").read_text())
    told["products"].append({"kind": "sources", "name": "sources.fits", "sha256": "0" * 64, "inputs": []})
    (folder / "result.json").write_text(json.dumps(told))
    (depot / "processed" / NIGHT / UNIT / "sources.fits").write_bytes(b"of another attempt")
    shown = from_folder(folder)
    assert set(shown.files) == {"calibrated"}
    assert shown.warnings == ("sources.fits in the depot is another attempt's",)


@pytest.mark.parametrize("key", ["/tmp/outside", "../../outside", f"../{UNIT}", UNIT.replace("live", ".."), 7])
def test_a_result_whose_key_is_none_is_refused(depot, key):
    folder = depot / "work" / NIGHT / "science/democam/20260116080000/live" / UNIT / "a1"
    told = json.loads((folder / "result.json").read_text()) | {"unit_key": key}
    (folder / "result.json").write_text(json.dumps(told))
    with pytest.raises(BadInput, match="no key of a unit"):
        from_folder(folder)


@pytest.mark.parametrize("key", [UNIT, FLAT, FLAT.replace("/g/", "/-/"), REFERENCE])
def test_every_kind_of_key_is_one(key):
    assert checked_key(key) == key


def test_a_master_has_its_image_its_uncertainty_and_its_mask(depot):
    folder = depot / "calibrations" / NIGHT / FLAT.removesuffix("/live")
    image(folder / "flat.fits", NFRAMES=6, LEVEL=20100.0)
    shown = from_folder(folder)
    assert (shown.key, shown.measurements) == (FLAT, {"frames": 6, "level": 20100.0})
    page = page_of(shown)
    assert page.count("data:image/png;base64,") == 3
    assert "The combination of 6 frames" in page
    assert "level (ADU)" in page


def test_a_reference_has_a_page_of_its_own(depot):
    folder = depot / "references" / REFERENCE.removeprefix("reference/").removesuffix("/live")
    image(folder / "reference.fits", NFRAMES=6)
    shown = from_folder(folder)
    assert shown.key == REFERENCE
    assert page_of(shown).count("data:image/png;base64,") == 2  # the image and its mask


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(BadInput, match="neither an attempt's folder"):
        from_folder(tmp_path)


def test_the_command_needs_no_ledger_for_a_folder(depot, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("NIGHTSHIFT_LEDGER", raising=False)
    page = tmp_path / "page.html"
    assert command_line.main(["inspect", str(depot / "processed" / NIGHT / UNIT), "--output", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text().startswith("<!doctype html>")


def test_an_image_that_is_cut_short_is_said_to_be_so_and_no_defect(depot, capsys):
    folder = depot / "processed" / NIGHT / UNIT
    (folder / "calibrated.fits").write_bytes((folder / "calibrated.fits").read_bytes()[:12_000])
    assert command_line.main(["inspect", str(folder)]) == 2
    assert "calibrated.fits" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("size", [2_000, 3_000, 9_000, 40_000])
def test_a_table_of_sources_that_is_cut_short_is_said_to_be_so_and_no_defect(depot, tmp_path, capsys, size):
    path = depot / "processed" / NIGHT / UNIT / "sources.fits"
    names = ("x", "y", "east_off", "north_off", "mag_off", "mag")
    Table({name: np.arange(900.0) for name in names}).write(path)
    path.write_bytes(path.read_bytes()[:size])
    assert command_line.main(["inspect", str(path.parent), "--output", str(tmp_path / "page.html")]) == 2
    assert f"{path} does not read" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("missing", [200, 3_000])
def test_an_extension_that_is_cut_short_is_said_to_be_so_and_no_defect(depot, tmp_path, capsys, missing):
    path = depot / "processed" / NIGHT / UNIT / "calibrated.fits"
    fits.append(path, np.ones((40, 50), np.float32), fits.Header({"EXTNAME": "BACKGROUND"}))
    path.write_bytes(path.read_bytes()[: -8640 + 5760 - missing])
    assert command_line.main(["inspect", str(path.parent), "--output", str(tmp_path / "page.html")]) == 2
    assert f"{path} does not read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "title", "shown"),
    [
        ("fwhm_px", 2.419624, "FWHM (px)", "2.420"),
        ("shift_x_px", 0.0, "shift x (px)", "0"),
        ("saturated_fraction", 1.9e-05, "saturated", "< 0.01 %"),
        ("zero_point", None, "zero point (mag)", "not measured"),
        ("level", 20940.73, "level (ADU)", "20941"),
        ("level", 999.96, "level (ADU)", "1000"),
        ("level", -999.96, "level (ADU)", "-1000"),
        ("level", 999.94, "level (ADU)", "999.9"),
        ("exposure_s", 30.0, "exposure (s)", "30.00"),
        ("good", True, "good", "yes"),
        ("valid_from", datetime(2026, 1, 16, 4, 0, 0, 5, tzinfo=UTC), "valid from", "2026-01-16 04:00:00 UTC"),
    ],
)
def test_a_measurement_has_its_unit_and_no_more_digits_than_it_has(name, value, title, shown):
    assert (named(name), said(name, value)) == (title, shown)
