"""Jobs: whatever happens to a unit, it leaves a result that says so."""

import errno
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from star_fields import ZERO_POINT, star_field

from nightshift.command_line import main as nightshift
from nightshift.errors import NeedsOperator, Retry
from nightshift.files import sha256_of
from nightshift.jobs.__main__ import main
from nightshift.jobs.contract import Input, JobFile, UnitResult, UnitWork, read_result, write_job_file
from nightshift.jobs.run import TRY_AGAIN, plain, run_task, run_unit
from nightshift.jobs.translate import bounds_of
from nightshift.settings import Survey, load_survey
from nightshift.settings.amplifiers import Crosstalk
from nightshift.settings.models import Thresholds
from nightshift.vocabulary import AttemptState, ErrorClass, Reason, all_measurements
from reduction.image.frame import Frame, read_frame, write_frame
from reduction.image.mask import MaskBit
from reduction.measure.psf import PsfModel
from reduction.problems import Problem, Unusable
from reduction.recipes import MEASURE

SHAPE, GAIN, BIAS = (192, 192), 2.0, 1000.0


@pytest.fixture(scope="module")
def survey() -> Survey:
    """The demonstration's survey with quadrants of 192x192."""
    demo = load_survey("demo")
    changes = {
        "shape": (192, 208), "data_section": "[1:192,1:192]", "overscan_section": "[193:208,1:192]",
        "gain": GAIN, "read_noise": 6.0, "sky_offset_arcsec": (0.0, 0.0),
    }  # fmt: skip
    quadrants = tuple(q.model_copy(update=changes) for q in demo.camera.quadrants)
    detectors = tuple(d.model_copy(update={"sky_offset_arcsec": (0.0, 0.0)}) for d in demo.camera.detectors)
    camera = demo.camera.model_copy(update={"quadrants": quadrants, "detectors": detectors})
    return demo.model_copy(update={"camera": camera})


def write_raw(path: Path, electrons: np.ndarray, cards: dict | None = None) -> None:
    random = np.random.default_rng(7)
    overscan = np.full((192, 16), BIAS) + random.normal(0, 3, (192, 16))
    pixels = np.concatenate([electrons / GAIN + BIAS, overscan], axis=1)
    units = [fits.PrimaryHDU()]
    for _ in (1, 2):
        units.append(fits.ImageHDU(np.clip(np.round(pixels), 0, 65535).astype(np.uint16)))
        units[-1].header.update(cards or {})
    fits.HDUList(units).writeto(path)


def given(role: str, path: Path, key: str = "") -> Input:
    return Input(role, str(path), sha256_of(path), key or path.name)


def unit_of(folder: Path, inputs, parameters, name="unit") -> UnitWork:
    return UnitWork(name, 1, "token-" + name, str(folder / name), tuple(inputs), parameters)


def job_of(survey: Survey, kind: str, *units: UnitWork) -> JobFile:
    tasks = tuple((i,) for i in range(len(units)))
    return JobFile(kind, "job", 1, survey.name, "hash", survey.model_dump(mode="json"), tasks, units)


def told(**changes):
    return {
        "instrument": "democam", "exposure_id": "e1", "detector": 1, "quadrant": 1, "filter": "r", "field": 101,
        "exposure_s": 30.0, "shutter_open": "2026-01-16T04:00:00+00:00", "ra_deg": 150.0, "dec_deg": 22.0,
        "airmass": 1.1, "flags": [], "own_catalogue": False, "reference_key": None, **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """One raw frame of 60 stars, its catalogue, and the field."""
    folder = tmp_path_factory.mktemp("night")
    field = star_field(SHAPE, stars=60, seed=2)
    header = {
        k: v for k, v in field.wcs.to_header().items() if k[:4] in ("CRVA", "CRPI", "CTYP", "CDEL", "PC1_", "PC2_")
    }
    write_raw(folder / "raw.fits", field.image, header)
    catalogue = field.catalogue
    table = Table({"ra": catalogue.ra, "dec": catalogue.dec, "mag_r": catalogue.magnitude})
    table.write(folder / "catalogue.fits")
    return folder, field


def science(survey, tmp_path, inputs, **changes) -> UnitResult:
    unit = unit_of(tmp_path, inputs, told(**changes))
    result = run_unit(job_of(survey, "science", unit), unit, survey)
    known = {"good", "warnings", "corners_deg", "difference", *(m.name for m in all_measurements())}
    assert set(result.metrics) <= known, "measured, and lost: not in nightshift/vocabulary/measurements.py"
    return result


# --- science -------------------------------------------------------------------------------------------------


def test_a_frame_with_a_catalogue_is_calibrated_and_measured(survey, night, tmp_path):
    folder, _ = night
    result = science(
        survey, tmp_path, [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    )
    assert result.state == AttemptState.SUCCEEDED, result.detail
    assert result.metrics["good"]
    assert result.metrics["zero_point"] == pytest.approx(ZERO_POINT, abs=0.03)
    assert [p.kind for p in result.products] == ["calibrated", "sources"]
    for product in result.products:
        path = tmp_path / "unit" / product.name
        assert (sha256_of(path), path.stat().st_size) == (product.sha256, product.bytes)
    frame = read_frame(tmp_path / "unit" / "calibrated.fits")
    assert abs(float(np.median(frame.image))) < 3
    assert {"EXPTIME", "FILTER", "MJD-OBS", "DATE-OBS", "FIELDID", "GAIN", "RDNOISE", "FWHM", "MAGZP", "MAGZPRMS",
            "MAGLIM", "BKGLEVEL", "SATURATE"} <= set(frame.header)  # fmt: skip
    with fits.open(tmp_path / "unit" / "calibrated.fits", checksum=True) as units:
        assert PsfModel.from_hdu(units["PSF"]).fwhm() == pytest.approx(result.metrics["fwhm_px"])
    json.dumps([result.metrics, result.rows], allow_nan=False)


def test_the_same_frame_twice_gives_the_same_bytes(survey, night, tmp_path):
    folder, _ = night
    inputs = [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    first, second = (science(survey, tmp_path / name, inputs) for name in "ab")
    assert [p.sha256 for p in first.products] == [p.sha256 for p in second.products]
    assert first.metrics == second.metrics


def test_a_field_without_a_catalogue_gets_one_from_its_first_frame(survey, night, tmp_path):
    folder, _ = night
    first = science(survey, tmp_path / "a", [given("raw", folder / "raw.fits")])
    assert first.state == AttemptState.SUCCEEDED, first.detail
    assert first.flags == (Reason.OWN_CATALOGUE,)
    own = given("catalogue", tmp_path / "a" / "unit" / "sources.fits")
    second = science(survey, tmp_path / "b", [given("raw", folder / "raw.fits"), own], own_catalogue=True)
    assert second.flags == (Reason.OWN_CATALOGUE,)
    assert second.metrics["zero_point"] == pytest.approx(25.0, abs=0.005)
    assert second.metrics["pointing_offset_arcsec"] < 0.02


def test_a_frame_that_breaks_a_bound_is_rejected_with_its_measurements_and_products(survey, night, tmp_path):
    folder, _ = night
    strict = survey.model_copy(update={"thresholds": (Thresholds(name="fwhm_px", fail=(0.5, 2.0)),)})
    inputs = [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    result = science(strict, tmp_path, inputs)
    assert (result.state, result.reason) == (AttemptState.REJECTED, Reason.SEEING_TOO_POOR)
    assert result.metrics["fwhm_px"] > 2.0
    assert not result.metrics["good"]
    assert len(result.products) == 2


@pytest.mark.parametrize(("value", "reason"), [(0.5, Reason.CLOUDY), (2.5, Reason.PATTERN_NOISE)])
def test_a_new_measurement_that_breaks_its_bounds_is_the_reason(
    survey, night, tmp_path, monkeypatch, toy_measurement, value, reason
):
    monkeypatch.setattr(
        "reduction.recipes.MEASURE", (*MEASURE, lambda measured, settings: measured.noting(toy=value))
    )
    strict = survey.model_copy(update={"thresholds": (Thresholds(name="toy", fail=(1.0, 2.0)),)})
    folder, _ = night
    result = science(
        strict, tmp_path, [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    )
    assert (result.state, result.reason, result.metrics["toy"]) == (AttemptState.REJECTED, reason, value)
    assert result.detail == f"toy {value} outside 1..2"


def test_products_are_fits_that_its_own_verifier_has_nothing_to_say_of(survey, night, tmp_path):
    folder, _ = night
    science(survey, tmp_path, [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")])
    with fits.open(tmp_path / "unit" / "calibrated.fits") as units:
        header = units["SCI"].header
        assert (header["CTYPE1"], header["RAWSHA"]) == ("RA---TAN-SIP", sha256_of(folder / "raw.fits"))
        assert [unit.name for unit in units] == ["PRIMARY", "SCI", "MASK", "VAR", "PSF", "BACKGROUND"]
    for name in ("calibrated.fits", "sources.fits"):
        with fits.open(tmp_path / "unit" / name) as units:
            units.verify("exception")
        if shutil.which("fitsverify"):
            said = subprocess.run(["fitsverify", "-q", tmp_path / "unit" / name], capture_output=True, text=True)
            assert said.stdout.startswith("verification OK"), said.stdout


def test_a_page_of_pictures_is_made_of_an_attempts_folder(survey, night, tmp_path, capsys):
    folder, _ = night
    inputs = [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    unit = replace(unit_of(tmp_path, inputs, told()), unit_key="democam/20260116040000/d01/q1/processed/live")
    write_job_file(tmp_path / "job.json", job_of(survey, "science", unit))
    run_task(tmp_path / "job.json")
    assert nightshift(["inspect", str(tmp_path / "unit"), "--output", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert "zero point" in page


def test_what_the_checks_say_of_a_frame_that_a_person_accepted_is_a_flag(survey, night, tmp_path):
    folder, _ = night
    strict = survey.model_copy(update={"thresholds": (Thresholds(name="fwhm_px", fail=(0.5, 2.0)),)})
    inputs = [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    result = science(strict, tmp_path, inputs, overruled=True)
    assert (result.state, result.reason) == (AttemptState.SUCCEEDED, None)
    assert set(result.flags) == {Reason.OPERATOR_ACCEPTED, Reason.SEEING_TOO_POOR}
    assert not result.metrics["good"]  # so that it is in no reference


def noisy(level: float) -> np.ndarray:
    return np.full(SHAPE, level) + np.random.default_rng(3).normal(0, 14, SHAPE)


def trailed(image: np.ndarray) -> np.ndarray:
    return sum(np.roll(image, step, axis=1) for step in range(12)) / 12


WAVES = 25 * np.sin(2 * np.pi * np.arange(SHAPE[1]) / 5.0)[None, :]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda image: noisy(2.0), Reason.SHUTTER_CLOSED),
        (lambda image: noisy(200.0), Reason.TOO_FEW_STARS),
        (lambda image: noisy(130000.0), Reason.SATURATED),
        (lambda image: np.full(SHAPE, 700.0), Reason.NO_SIGNAL),
        (lambda image: np.where(np.arange(SHAPE[0])[:, None] % 3, 0.0, image), Reason.NO_SIGNAL),
        (lambda image: image + WAVES, Reason.PATTERN_NOISE),
        (trailed, Reason.ELONGATED),
        (lambda image: 200 + (image - 200) * 0.1, Reason.CLOUDY),
        (lambda image: image[::-1], Reason.ASTROMETRY_FAILED),
    ],
    ids=[
        "closed shutter",
        "no stars",
        "daylight",
        "dead",
        "readout stuck",
        "pattern",
        "trailed",
        "clouds",
        "elsewhere",
    ],
)
def test_a_spoilt_frame_is_rejected_with_its_reason_and_keeps_its_measurements(
    survey, night, tmp_path, spoil, reason
):
    folder, field = night
    write_raw(tmp_path / "raw.fits", spoil(field.image))
    result = science(
        survey, tmp_path, [given("raw", tmp_path / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    )
    assert (result.state, result.reason) == (AttemptState.REJECTED, reason), result.detail
    assert not result.metrics["good"]
    assert result.metrics["saturated_fraction"] >= 0


def test_a_frame_of_another_sky_is_rejected_with_its_calibrated_image(survey, night, tmp_path):
    folder, _ = night
    other = star_field(SHAPE, stars=60, seed=77)
    write_raw(tmp_path / "raw.fits", other.image)
    result = science(
        survey, tmp_path, [given("raw", tmp_path / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    )
    assert (result.state, result.reason) == (AttemptState.REJECTED, Reason.ASTROMETRY_FAILED)
    assert [p.kind for p in result.products] == ["calibrated", "sources"]


def test_a_raw_file_of_another_shape_fails_as_bad_input(survey, tmp_path):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((9, 9), np.uint16)), fits.ImageHDU()]).writeto(
        tmp_path / "r.fits"
    )
    result = science(survey, tmp_path, [given("raw", tmp_path / "r.fits")])
    assert (result.state, result.reason) == (AttemptState.FAILED, Reason.WRONG_SHAPE)
    assert result.error_class == ErrorClass.BAD_INPUT


@pytest.mark.parametrize("role", ["bias", "dark", "flat", "bad_pixels"])
def test_what_is_of_another_size_than_the_frame_fails_by_name(survey, night, tmp_path, role):
    other = np.ones((SHAPE[0], SHAPE[1] - 2), np.float32)
    if role == "bad_pixels":
        fits.PrimaryHDU(other.astype(np.int16)).writeto(tmp_path / "other.fits")
    else:
        with (tmp_path / "other.fits").open("w+b") as stream:
            write_frame(stream, Frame(other, np.zeros(other.shape, np.uint16), other))
    result = science(survey, tmp_path, [given("raw", night[0] / "raw.fits"), given(role, tmp_path / "other.fits")])
    assert (result.state, result.reason) == (AttemptState.FAILED, Reason.WRONG_SHAPE)
    assert role.replace("_", " ").removeprefix("bad ") in result.detail


def unreadable(path: Path) -> None:
    path.write_bytes(b"junk" * 1000)


def of_another_program(path: Path) -> None:
    fits.PrimaryHDU(np.ones(SHAPE, np.float32)).writeto(path)


def with_a_hole(path: Path) -> None:
    image = np.ones(SHAPE, np.float32)
    image[50:60, 50:60] = np.nan
    write_master(path, image)


def with_words(path: Path) -> None:
    write_master(path, np.ones(SHAPE, np.float32), GAINMEAS="two", GAINERR=0.1, RNADU="three", RNADUERR=0.1)


def without_light(path: Path) -> None:
    write_master(path, np.zeros(SHAPE, np.float32))


def write_master(path: Path, image: np.ndarray, **header) -> None:
    with path.open("w+b") as stream:
        write_frame(stream, Frame(image, np.zeros(SHAPE, np.uint16), np.full_like(image, 1e-6), header=header))


@pytest.mark.parametrize(("role", "write", "reason", "said"), [
    ("bias", unreadable, Reason.UNREADABLE_FILE, "bias.fits is no calibrated image or master"),
    ("dark", of_another_program, Reason.UNREADABLE_FILE, "dark.fits is no calibrated image or master.*SCI"),
    ("bias", with_a_hole, Reason.UNREADABLE_FILE, "100 pixels of the master bias have no value"),
    ("flat", with_a_hole, Reason.UNREADABLE_FILE, "100 pixels of the master flat have no value"),
    ("bias", with_words, Reason.HEADER_IMPOSSIBLE, "RNADU = 'three'; it must be a number"),
    ("flat", with_words, Reason.HEADER_IMPOSSIBLE, "GAINMEAS = 'two'; it must be a number"),
    ("flat", without_light, Reason.CALIBRATION_MISSING, "no pixel is left to measure: masters or known bad pixels"),
])  # fmt: skip
def test_a_master_that_cannot_serve_is_named_and_says_why(survey, night, tmp_path, role, write, reason, said):
    write(tmp_path / f"{role}.fits")
    result = science(survey, tmp_path, [given("raw", night[0] / "raw.fits"), given(role, tmp_path / f"{role}.fits")])
    assert (result.reason, result.error_class) == (reason, ErrorClass.BAD_INPUT)
    assert re.search(said, result.detail), result.detail


def test_a_catalogue_without_the_exposures_filter_says_what_it_has(survey, night, tmp_path):
    inputs = [given("raw", night[0] / "raw.fits"), given("catalogue", night[0] / "catalogue.fits")]
    result = science(survey, tmp_path, inputs, filter="g")
    assert (result.state, result.reason) == (AttemptState.REJECTED, Reason.ASTROMETRY_FAILED)
    assert "has no column mag_g; there are: ra, dec, mag_r" in result.detail


def test_pixels_of_nothing_but_nan_are_a_failure_that_says_so(survey, tmp_path):
    units = [fits.PrimaryHDU(), *(fits.ImageHDU(np.full((192, 208), np.nan, np.float32)) for _ in (1, 2))]
    fits.HDUList(units).writeto(tmp_path / "raw.fits")
    result = science(survey, tmp_path, [given("raw", tmp_path / "raw.fits")])
    assert (result.state, result.reason) == (AttemptState.FAILED, Reason.UNREADABLE_FILE)
    assert "no pixel has a value" in result.detail


def test_what_was_known_before_stays_flagged(survey, night, tmp_path):
    folder, _ = night
    inputs = [given("raw", folder / "raw.fits"), given("catalogue", folder / "catalogue.fits")]
    result = science(survey, tmp_path, inputs, flags=["calibration_missing"])
    assert result.flags == (Reason.CALIBRATION_MISSING,)


# --- masters -------------------------------------------------------------------------------------------------


def master(survey, tmp_path, kind, frames, extra=(), overruled=None, **changes):
    inputs = [given("raw", path, path.name) for path, _ in frames]
    listed = [
        {
            "key": path.name,
            "exposure_id": path.stem,
            "filter": name,
            "exposure_s": 5.0,
            "shutter_open": f"2026-01-16T00:{k:02d}:00+00:00",
            "overruled": path.name == overruled,
        }
        for k, (path, name) in enumerate(frames)
    ]
    parameters = {"calibration_kind": kind, "detector": 1, "quadrant": 1, "filter": "r" if kind == "flat" else "",
                  "frames": listed, **changes}  # fmt: skip
    unit = unit_of(tmp_path, [*inputs, *extra], parameters)
    return run_unit(job_of(survey, "master", unit), unit, survey)


def calibration_frames(folder: Path, electrons: list[float], names=None):
    made = []
    for k, level in enumerate(electrons):
        random = np.random.default_rng(k)
        write_raw(folder / f"{k}.fits", random.normal(level, np.sqrt(level + 36), SHAPE))
        made.append((folder / f"{k}.fits", names[k] if names else ""))
    return made


def test_a_flat_of_another_filter_and_an_unreadable_one_are_named_and_left_out(survey, tmp_path):
    frames = calibration_frames(tmp_path, [40000.0] * 8, ["r"] * 6 + ["g", "r"])
    frames[7][0].write_bytes(b"lost on the way")
    result = master(survey, tmp_path, "flat", frames)
    assert result.state == AttemptState.SUCCEEDED, result.detail
    assert [row["reason"] for row in result.rows["frames"]] == [None] * 6 + ["filter_mismatch", "unreadable_file"]
    assert result.metrics["frames"] == 6
    flat = read_frame(tmp_path / "unit" / "flat.fits")
    assert float(np.median(flat.image)) == pytest.approx(1.0)
    assert result.products[0].kind == "flat"


def test_a_flat_that_a_cloud_dimmed_while_the_twilight_fell_is_named_and_left_out(survey, tmp_path):
    frames = calibration_frames(tmp_path, [60000.0, 50000.0, 42000.0, 20000.0, 30000.0, 25000.0, 21000.0], ["r"] * 7)
    result = master(survey, tmp_path, "flat", frames)
    assert [row["reason"] for row in result.rows["frames"]] == [None] * 3 + ["off_the_ramp"] + [None] * 3


def test_a_calibration_frame_that_a_person_accepted_is_in_the_master(survey, tmp_path):
    frames = calibration_frames(tmp_path, [40000.0] * 5 + [100.0], ["r"] * 6)
    result = master(survey, tmp_path, "flat", frames, overruled=frames[5][0].name)
    assert [row["accepted"] for row in result.rows["frames"]] == [True] * 6


def with_amplifier(survey, **changes) -> Survey:
    quadrants = tuple(q.model_copy(update=changes) for q in survey.camera.quadrants)
    return survey.model_copy(update={"camera": survey.camera.model_copy(update={"quadrants": quadrants})})


@pytest.fixture(scope="module")
def amplifier(survey, tmp_path_factory):
    """A master bias and flat of frames with the true gain and read noise, made with the right settings."""
    folder = tmp_path_factory.mktemp("amplifier")
    made = {}
    for kind, electrons in (("bias", [0.0] * 5), ("flat", [40000.0] * 6)):
        (folder / kind).mkdir()
        frames = calibration_frames(folder / kind, electrons, ["r" if kind == "flat" else ""] * len(electrons))
        extra = [given("bias", folder / "bias" / "unit" / "bias.fits")] if kind == "flat" else []
        made[kind] = frames, extra, master(survey, folder / kind, kind, frames, extra)
    return folder, made


def test_masters_know_gain_and_read_noise_and_say_nothing_where_the_settings_are_right(amplifier):
    _, made = amplifier
    assert made["bias"][2].metrics["read_noise"] == pytest.approx(6.0 / GAIN, rel=0.05)
    assert made["flat"][2].metrics["gain"] == pytest.approx(GAIN, rel=0.03)
    assert made["bias"][2].flags == made["flat"][2].flags == ()


@pytest.mark.parametrize(("wrong", "flags"), [
    ({"gain": 3 * GAIN, "read_noise": 11.0}, {Reason.GAIN_DISAGREES, Reason.READ_NOISE_DISAGREES}),
    ({"read_noise": 9.3}, {Reason.READ_NOISE_DISAGREES}),
])  # fmt: skip
def test_a_wrong_gain_or_read_noise_in_the_settings_is_said_and_the_measured_one_serves(
    survey, night, amplifier, tmp_path, wrong, flags
):
    folder, made = amplifier
    mistaken = with_amplifier(survey, **wrong)
    for kind, reason in (("flat", Reason.GAIN_DISAGREES), ("bias", Reason.READ_NOISE_DISAGREES)):
        frames, extra, _ = made[kind]
        again = master(mistaken, tmp_path / kind, kind, frames, extra)
        assert (reason in again.flags) == (reason in flags), again.flags
    raw = given("raw", night[0] / "raw.fits")
    masters = [given(kind, folder / kind / "unit" / f"{kind}.fits") for kind in ("bias", "flat")]
    inputs = [raw, given("catalogue", night[0] / "catalogue.fits"), *masters]
    right, found = science(survey, tmp_path / "a", inputs), science(mistaken, tmp_path / "b", inputs)
    assert set(found.flags) == flags and right.flags == ()
    assert found.metrics["zero_point"] == pytest.approx(right.metrics["zero_point"], abs=0.05)
    header = read_frame(tmp_path / "b" / "unit" / "calibrated.fits").header
    assert header["RAWGAIN"] == pytest.approx(GAIN, rel=0.03)
    assert header["RDNOISE"] == pytest.approx(6.0, rel=0.08)
    by_settings = mistaken.camera.quadrants[0].read_noise / mistaken.camera.quadrants[0].gain
    assert header["RNSET"] / header["RAWGAIN"] == pytest.approx(by_settings)  # what the checks compare with


def test_without_masters_a_wrong_gain_stays_and_nothing_pretends_otherwise(survey, night, tmp_path):
    mistaken = with_amplifier(survey, gain=2 * GAIN)
    inputs = [given("raw", night[0] / "raw.fits"), given("catalogue", night[0] / "catalogue.fits")]
    result = science(mistaken, tmp_path, inputs)
    assert result.flags == ()
    assert read_frame(tmp_path / "unit" / "calibrated.fits").header["RAWGAIN"] == 2 * GAIN


def test_bad_pixels_that_are_known_are_in_the_mask_and_the_frame_says_from_where(survey, night, tmp_path):
    mask = np.zeros(SHAPE, np.int16)
    mask[:, 50] = MaskBit.DEAD
    fits.PrimaryHDU(mask).writeto(tmp_path / "mask.fits")
    inputs = [given("raw", night[0] / "raw.fits"), given("catalogue", night[0] / "catalogue.fits"),
              given("bad_pixels", tmp_path / "mask.fits")]  # fmt: skip
    result = science(survey, tmp_path, inputs)
    assert result.state == AttemptState.SUCCEEDED, result.detail
    frame = read_frame(tmp_path / "unit" / "calibrated.fits")
    assert (frame.mask[:, 50] & np.uint16(MaskBit.DEAD)).all()
    assert frame.header["BPMKEY"] == "mask.fits"
    assert "bad_pixels" in {i.role for i in result.products[0].inputs}


def test_a_dark_that_does_not_say_its_gain_is_taken_in_the_settings_not_in_the_measured_one(survey, night, tmp_path):
    def with_dark(folder: str, header: dict) -> Frame | UnitResult:
        (tmp_path / folder).mkdir()
        frames = {"flat": Frame(ones, nothing, small, header={"GAINMEAS": GAIN, "GAINERR": 0.01})}
        frames["dark"] = Frame(20 * ones, nothing, small, header=header)
        for name, frame in frames.items():
            with (tmp_path / folder / f"{name}.fits").open("w+b") as stream:
                write_frame(stream, frame)
        made = [given(name, tmp_path / folder / f"{name}.fits") for name in frames]
        result = science(mistaken, tmp_path / folder, [given("raw", night[0] / "raw.fits"), *made])
        path = tmp_path / folder / "unit" / "calibrated.fits"
        return read_frame(path) if path.exists() else result

    ones, nothing = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.uint16)
    small, mistaken = 1e-6 * ones, with_amplifier(survey, gain=3 * GAIN)
    silent, told = with_dark("silent", {}), with_dark("told", {"RAWGAIN": 3 * GAIN})
    assert silent.header["RAWGAIN"] == GAIN
    assert silent.header["BKGLEVEL"] == pytest.approx(told.header["BKGLEVEL"], abs=1e-3)
    for name, gain in (("word", "three"), ("nothing", 0), ("negative", -1.0)):
        refused = with_dark(name, {"RAWGAIN": gain})
        assert (refused.state, refused.reason) == (AttemptState.FAILED, Reason.HEADER_IMPOSSIBLE)
        assert f"RAWGAIN = {gain!r}" in refused.detail


def heard(survey: Survey) -> Survey:
    """Return the survey whose first quadrant hears the second."""
    coupling = Crosstalk(victim=1, source=2, coefficient=1e-3)
    return survey.model_copy(update={"camera": survey.camera.model_copy(update={"crosstalk": (coupling,)})})


def without_second_quadrant(path: Path, target: Path) -> Path:
    with fits.open(path) as units:
        fits.HDUList([units[0], units[1], fits.ImageHDU(np.zeros((9, 9), np.uint16))]).writeto(target)
    return target


def test_a_frame_whose_crosstalk_cannot_be_known_is_calibrated_without_and_says_so(survey, night, tmp_path):
    raw = without_second_quadrant(night[0] / "raw.fits", tmp_path / "raw.fits")
    inputs = [given("raw", raw), given("catalogue", night[0] / "catalogue.fits")]
    result = science(heard(survey), tmp_path, inputs)
    assert (result.state, result.flags) == (AttemptState.SUCCEEDED, (Reason.CROSSTALK_LEFT,))
    assert read_frame(tmp_path / "unit" / "calibrated.fits").header["XTALKNOT"] == "2"


def test_a_calibration_frame_whose_crosstalk_cannot_be_known_is_named_and_left_out(survey, tmp_path):
    frames = calibration_frames(tmp_path, [40000.0] * 6, ["r"] * 6)
    frames[2] = (without_second_quadrant(frames[2][0], tmp_path / "half.fits"), "r")
    result = master(heard(survey), tmp_path, "flat", frames)
    assert result.state == AttemptState.SUCCEEDED, result.detail
    assert [row["reason"] for row in result.rows["frames"]] == [None, None, "crosstalk_left", None, None, None]


def test_too_few_good_frames_are_no_master(survey, tmp_path):
    frames = calibration_frames(tmp_path, [40000.0] * 3 + [100.0] * 4, ["r"] * 7)
    result = master(survey, tmp_path, "flat", frames)
    assert (result.state, result.reason) == (AttemptState.REJECTED, Reason.TOO_FEW_FRAMES)
    assert [row["reason"] for row in result.rows["frames"]] == [None] * 3 + ["level_out_of_range"] * 4
    assert result.products == ()


def test_a_master_unlike_the_last_good_one_is_kept_and_rejected(survey, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = master(survey, tmp_path / "a", "bias", calibration_frames(tmp_path / "a", [10.0] * 5))
    assert first.state == AttemptState.SUCCEEDED, first.detail
    last = given("last_master", tmp_path / "a" / "unit" / "bias.fits")
    again = master(survey, tmp_path / "b", "bias", calibration_frames(tmp_path / "b", [60.0] * 5), [last])
    assert (again.state, again.reason) == (AttemptState.REJECTED, Reason.UNLIKE_LAST_MASTER)
    assert again.products


def test_darks_are_compared_in_the_gain_of_now(survey, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    warm = survey.calibration.model_copy(update={"dark_current": (-1.0, 100.0)})
    survey = survey.model_copy(update={"calibration": warm})
    mistaken = with_amplifier(survey, gain=1.4 * GAIN)
    first = master(mistaken, tmp_path / "a", "dark", calibration_frames(tmp_path / "a", [200.0] * 9))
    assert first.state == AttemptState.SUCCEEDED, first.detail
    last = given("last_master", tmp_path / "a" / "unit" / "dark.fits")
    again = master(survey, tmp_path / "b", "dark", calibration_frames(tmp_path / "b", [200.0] * 9), [last])
    assert again.state == AttemptState.SUCCEEDED, again.detail


@pytest.mark.parametrize(("spoil", "flag"), [
    (unreadable, Reason.UNREADABLE_FILE),
    (with_a_hole, Reason.UNREADABLE_FILE),
    (lambda path: write_master(path, np.ones(SHAPE, np.float32), RAWGAIN="three"), Reason.HEADER_IMPOSSIBLE),
    (lambda path: write_master(path, np.ones(SHAPE, np.float32), RAWGAIN=0), Reason.HEADER_IMPOSSIBLE),
])  # fmt: skip
def test_a_last_master_that_cannot_serve_does_not_cost_the_nights_dark(survey, tmp_path, spoil, flag):
    warm = survey.calibration.model_copy(update={"dark_current": (-1.0, 100.0)})
    survey = survey.model_copy(update={"calibration": warm})
    spoil(tmp_path / "last.fits")
    frames = calibration_frames(tmp_path, [200.0] * 5)
    result = master(survey, tmp_path, "dark", frames, [given("last_master", tmp_path / "last.fits")])
    assert (result.state, result.flags) == (AttemptState.SUCCEEDED, (flag,)), result.detail
    assert result.products and result.metrics["unlike_last_fraction"] is None


# --- the boundary --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason", "error_class"),
    [
        (Unusable(Problem.TOO_FEW_STARS, "clouds"), Reason.TOO_FEW_STARS, ErrorClass.BAD_INPUT),
        (NeedsOperator(Reason.REFERENCE_UNUSABLE, "look"), Reason.REFERENCE_UNUSABLE, ErrorClass.NEEDS_OPERATOR),
        (Retry(Reason.WORKER_LOST, "later"), Reason.WORKER_LOST, ErrorClass.RETRY),
        (MemoryError(), Reason.OUT_OF_MEMORY, ErrorClass.RESOURCES),
        (OSError("no space left"), Reason.INTERNAL_ERROR, ErrorClass.RETRY),
        (ZeroDivisionError("a defect"), Reason.INTERNAL_ERROR, ErrorClass.NEEDS_OPERATOR),
    ],
)
def test_whatever_a_unit_raises_is_its_result(survey, tmp_path, error, reason, error_class):
    def raising(work, survey, folder):
        raise error

    unit = unit_of(tmp_path, [], {})
    result = run_unit(job_of(survey, "science", unit), unit, survey, work=raising)
    assert (result.state, result.reason, result.error_class) == (AttemptState.FAILED, reason, error_class)
    assert (result.unit_key, result.token) == ("unit", "token-unit")
    assert result.peak_memory_mb > 0


@pytest.mark.parametrize("loss", ["absent", "changed"])
def test_an_input_that_is_not_what_it_was_is_not_used(survey, tmp_path, loss):
    path = tmp_path / "raw.fits"
    path.write_bytes(b"one")
    item = given("raw", path)
    path.unlink() if loss == "absent" else path.write_bytes(b"two")
    result = science(survey, tmp_path, [item])
    assert (result.state, result.reason) == (AttemptState.FAILED, Reason.INPUT_LOST)


def test_a_task_runs_its_units_each_with_a_result_and_a_second_run_changes_nothing(survey, night, tmp_path):
    folder, _ = night
    good = unit_of(tmp_path, [given("raw", folder / "raw.fits")], told(), "good")
    lost = replace(good, unit_key="lost", token="token-lost", folder=str(tmp_path / "lost"), inputs=())
    job = replace(job_of(survey, "science", good, lost), tasks=((0, 1),))
    write_job_file(tmp_path / "job.json", job)
    assert main(["science", str(tmp_path / "job.json"), "--unit", "0"]) == 0
    assert read_result(tmp_path / "good", "token-good").state == AttemptState.SUCCEEDED
    assert read_result(tmp_path / "lost", "token-lost").reason == Reason.INPUT_LOST
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert run_task(tmp_path / "job.json", 0) == 0
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_job_file_that_does_not_read_is_said_so(tmp_path, capsys):
    (tmp_path / "job.json").write_text("{")
    assert main(["science", str(tmp_path / "job.json")]) == 1
    assert "does not read" in capsys.readouterr().err


def test_plain_values_are_what_json_can_hold():
    value = {
        "a": np.float32(1.5),
        "b": [np.int16(2), float("nan"), np.inf],
        "c": np.array([1.0, np.nan]),
        "d": (True,),
    }
    assert plain(value) == {"a": 1.5, "b": [2, None, None], "c": [1.0, None], "d": [True]}


def test_the_latest_bounds_of_a_day_hold_and_a_filters_own_come_first(survey):
    thresholds = (
        Thresholds(name="fwhm_px", fail=(0, 9)),
        Thresholds(name="fwhm_px", fail=(0, 7), valid_from=date(2026, 2, 1)),
        Thresholds(name="fwhm_px", fail=(0, 5), valid_from=date(2025, 1, 1), filter="g"),
    )
    own = survey.model_copy(update={"thresholds": thresholds})
    assert bounds_of(own, "r", date(2026, 1, 16))[0].fail == (0, 9)
    assert bounds_of(own, "r", date(2026, 3, 1))[0].fail == (0, 7)
    assert bounds_of(own, "g", date(2026, 3, 1))[0].fail == (0, 5)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_unit_that_cannot_write_leaves_no_result_and_is_to_be_begun_again(survey, tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    unit = unit_of(tmp_path, [], {})
    write_job_file(tmp_path / "job.json", job_of(survey, "science", unit))
    monkeypatch.setattr("nightshift.jobs.run.work_of", lambda kind: full)
    assert run_task(tmp_path / "job.json") == TRY_AGAIN
    assert read_result(Path(unit.folder), unit.token) is None


def test_a_unit_whose_depot_vanished_writes_nothing_into_the_empty_mount_point(survey, tmp_path, monkeypatch):
    def unmounted(*_):
        (tmp_path / "job.json").unlink()
        raise FileNotFoundError(tmp_path)

    unit = unit_of(tmp_path, [], {})
    write_job_file(tmp_path / "job.json", job_of(survey, "science", unit))
    monkeypatch.setattr("nightshift.jobs.run.work_of", lambda kind: unmounted)
    assert run_task(tmp_path / "job.json") == TRY_AGAIN
    assert read_result(Path(unit.folder), unit.token) is None
