"""What a simulated night promises."""

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from nightshift.files import sha256_of
from nightshift.settings import load_survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.events import movers_of_field
from rehearsal.simulator.expose import Unit, expected_electrons, without_events
from rehearsal.simulator.night_files import read_raw_file
from rehearsal.simulator.night_plan import DEFAULT_NIGHT, file_name, plan_night
from rehearsal.simulator.scale import NightScale, resized_survey
from rehearsal.simulator.simulate import simulate_night


def everything_in(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(tiny, tmp_path):
    simulate_night(load_survey("demo"), tmp_path, seed=tiny.seed, scale=tiny.scale, processes=2)
    assert everything_in(tmp_path) == everything_in(tiny.made.folder)


def test_another_seed_gives_another_sky(tiny, tmp_path):
    few = replace(tiny.scale, visits=1, biases=1, darks=0, flats=0, detectors=(1,))
    other = simulate_night(load_survey("demo"), tmp_path, seed=tiny.seed + 1, scale=few)
    stars = "truth/stars_000101.fits"
    assert everything_in(other.folder)[stars] != everything_in(tiny.made.folder)[stars]


def test_truth_and_pixels_agree_on_every_transient(tiny):
    quiet = without_events(tiny.sky)
    compared = 0
    for thing in json.loads((tiny.made.truth / "transients.json").read_text()):
        for row in thing["appearances"]:
            exposure = next(e for e in tiny.science if e.exposure_id == row["exposure_id"])
            unit = Unit.of(tiny.made.survey, row["detector"], row["quadrant"])
            alone = replace(quiet, risers={f: tuple(r for r in rs if r.name == thing["name"]) for f, rs in
                                           tiny.sky.risers.items()})  # fmt: skip
            extra = expected_electrons(alone, exposure, unit) - expected_electrons(quiet, exposure, unit)
            y, x = np.mgrid[0 : extra.shape[0], 0 : extra.shape[1]]
            aperture = np.hypot(x - row["x"], y - row["y"]) < 12.0
            if row["edge_px"] < 13 or row["bad_pixels"]:
                continue
            compared += 1
            assert extra[aperture].sum() == pytest.approx(row["electrons"], rel=0.06)  # vignetting and dust
            total = extra[aperture].sum()
            assert (extra * x)[aperture].sum() / total == pytest.approx(row["x"], abs=0.05)
            assert (extra * y)[aperture].sum() / total == pytest.approx(row["y"], abs=0.05)
    assert compared >= 8


def test_nothing_rises_in_the_frames_that_a_reference_is_made_of(tiny):
    still = replace(tiny.sky, movers=without_events(tiny.sky).movers)
    empty = without_events(tiny.sky)
    unit = Unit.of(tiny.made.survey, 1, 1)
    changed = [
        not np.array_equal(expected_electrons(still, e, unit), expected_electrons(empty, e, unit))
        for e in tiny.science
    ]
    assert changed == [False] * 6 + [True] * 2


def test_a_moving_object_is_seen_at_least_six_times(tiny):
    movers = json.loads((tiny.made.truth / "movers.json").read_text())
    assert len(movers) == 3
    for mover in movers:
        bright = [row for row in mover["appearances"] if row["signal_to_noise"] > 10]
        assert len(bright) >= 6
        rate = np.hypot(mover["rate_east"], mover["rate_north"]) * 24 / 3600
        assert 0.1 < rate < 0.35  # degrees a day: the main belt


def test_movers_do_not_depend_on_how_the_work_is_cut(tiny):
    field = next(iter(tiny.sky.fields.values()))
    again = movers_of_field(tiny.made.survey, field, tiny.made.exposures, seed=tiny.seed)
    assert again == tiny.sky.movers[field.id]


def test_every_file_is_named_typed_and_checksummed_as_the_camera_does(tiny):
    survey = tiny.made.survey
    expected = {name: e for e in tiny.made.exposures for d in (1, 2) for name in [_name(survey, e, d)]}
    assert [p.name for p in tiny.made.files] == list(expected)
    for path in tiny.made.files:
        raw = read_raw_file(survey.camera, path)
        assert raw.image_type == expected[path.name].image_type
        assert raw.shutter_open == expected[path.name].shutter_open
        with warnings.catch_warnings(), fits.open(path, checksum=True, uint=False) as units:
            warnings.simplefilter("error")
            assert [u.name for u in units] == ["PRIMARY", "Q1", "Q2"]
            assert all("CHECKSUM" in u.header and "DATASUM" in u.header for u in units)
            assert units[1].header["BITPIX"] == 16 and units[1].header["BZERO"] == 32768
            assert units[1].data.shape == survey.camera.quadrants[0].shape == (160, 208)


def _name(survey, exposure, detector):
    return file_name(survey.camera, exposure, detector, DEFAULT_NIGHT)


def test_the_manifest_lists_every_file_with_its_checksum(tiny):
    manifest = json.loads(tiny.made.manifest.read_text())
    assert manifest["schema"] == "nightshift.manifest/1" and manifest["synthetic"] is False
    assert re.fullmatch(tiny.made.survey.night.manifest_pattern, tiny.made.manifest.name)
    assert manifest["night"] == DEFAULT_NIGHT.isoformat()
    sent = {f["name"]: (f["bytes"], f["sha256"]) for f in manifest["files"]}
    assert sent == {p.name: (p.stat().st_size, sha256_of(p)) for p in tiny.made.raw.iterdir()}


def test_a_calibration_sequence_says_which_frame_of_how_many_it_is(tiny):
    seen: dict[str, list[tuple[int, int]]] = {}
    for exposure in tiny.made.exposures:
        header = fits.getheader(tiny.made.raw / _name(tiny.made.survey, exposure, 1))
        if exposure.image_type == ImageType.SCIENCE:
            assert "SEQNAME" not in header
            continue
        seen.setdefault(header["SEQNAME"], []).append((header["SEQINDEX"], header["SEQLEN"]))
    assert sorted(seen.values()) == [[(1, 1)], [(1, 2), (2, 2)], [(1, 2), (2, 2)]]


def test_overscan_follows_the_bias_and_flats_grow_fainter(tiny):
    levels = []
    for exposure in tiny.made.exposures:
        with fits.open(tiny.made.raw / _name(tiny.made.survey, exposure, 1)) as units:
            image = units[1].data.astype(float)
        data, overscan = np.median(image[:, :176]), np.median(image[:, 176:])
        if exposure.image_type == ImageType.BIAS:
            assert abs(data - overscan) < 5.0
        if exposure.image_type == ImageType.FLAT:
            levels.append(data - overscan)
    assert 5_000 < levels[-1] < levels[0] < 45_000


def test_the_headers_wcs_is_off_by_a_few_arcseconds_and_no_more(tiny):
    survey, exposure = tiny.made.survey, tiny.science[0]
    stars = Table.read(tiny.made.catalogues / "field000101.fits")
    offsets = []
    for quadrant in (1, 2):
        header = fits.getheader(tiny.made.raw / _name(survey, exposure, 1), quadrant)
        x0 = 0 if quadrant == 1 else 32
        claimed = np.array(WCS(header).all_world2pix(stars["ra"], stars["dec"], 0))
        unit = Unit.of(survey, 1, quadrant)
        true = np.array(unit.geometry.pixels(stars["ra"], stars["dec"], exposure.pointing))
        inside = (true > 0).all(axis=0) & (true[0] < 176) & (true[1] < 160)
        offsets.append((claimed - true)[:, inside] - np.array([[x0], [0]]))
    offset = np.concatenate(offsets, axis=1)
    assert offset.shape[1] > 10
    assert 0.3 < np.hypot(*offset.mean(axis=1)) < 12.0
    assert (offset - offset.mean(axis=1, keepdims=True)).std() < 0.4


def test_the_catalogue_holds_the_stars_and_nothing_that_changes(tiny):
    stars = Table.read(tiny.made.catalogues / "field000101.fits")
    assert {"ra", "dec", "mag_g", "mag_r"} <= set(stars.colnames)
    truth = Table.read(tiny.made.truth / "stars_000101.fits")
    assert len(stars) == (truth["r"] < 19.7).sum() > 300
    for thing in json.loads((tiny.made.truth / "transients.json").read_text()):
        near = np.hypot((stars["ra"] - thing["ra_deg"]) * np.cos(np.radians(22)), stars["dec"] - thing["dec_deg"])
        assert (near.min() * 3600 < 0.2) == (thing["kind"] == "variable") or thing["kind"] == "transient"


def test_a_field_across_right_ascension_zero_has_stars_on_both_sides(tiny, tmp_path):
    scale = replace(tiny.scale, fields=(102,), visits=1, biases=0, darks=0, flats=0, detectors=(1,))
    night = simulate_night(load_survey("demo"), tmp_path, seed=1, scale=scale)
    ra = Table.read(night.catalogues / "field000102.fits")["ra"]
    assert ra.min() >= 0 and ra.max() < 360
    assert (ra < 1).sum() > 100 and (ra > 359).sum() > 100


@pytest.mark.parametrize("name", ["demo", "lowell42", "ztf"])
def test_every_shipped_survey_can_be_simulated(name, tmp_path):
    survey = load_survey(name)
    one = survey.camera.detector_ids[:1]
    scale = NightScale(fields=1, filters=1, detectors=one, visits=1, biases=1, darks=1, flats=1, shape=(96, 128))
    night = simulate_night(survey, tmp_path, seed=1, scale=scale, night=None if name != "lowell42" else _MARCH)
    kinds = [read_raw_file(survey.camera, path).image_type for path in night.files]
    assert kinds == [ImageType.BIAS, ImageType.DARK, ImageType.FLAT, ImageType.SCIENCE]
    assert len({e.exposure_id for e in night.exposures}) == 4
    header = fits.getheader(night.files[-1], 1 if name == "lowell42" else 0)
    assert survey.filter_by_header(str(header[survey.camera.header.filter[0]])) is not None


_MARCH = DEFAULT_NIGHT.replace(year=2019, month=3, day=25)


def test_overscans_that_are_images_of_their_own_are_written_so(tmp_path):
    scale = NightScale(filters=1, visits=1, biases=1, darks=0, flats=0, shape=(96, 128), detectors=(7,))
    night = simulate_night(load_survey("ztf"), tmp_path, seed=1, scale=scale)
    with fits.open(night.files[0]) as units:
        assert [u.shape for u in units[1:]] == [(96, 128)] * 4 + [(96, 30)] * 4
        assert abs(np.median(units[2].data) - np.median(units[6].data)) < 5


@pytest.mark.parametrize("name", ["demo", "lowell42"])
def test_a_plan_gives_each_file_a_name_of_its_own(name):
    survey = resized_survey(load_survey(name), NightScale())
    night = DEFAULT_NIGHT if name == "demo" else _MARCH
    plan = plan_night(survey, NightScale(), seed=1, night=night)
    names = [file_name(survey.camera, e, d, night) for e in plan for d in survey.camera.detector_ids]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(survey.camera.file_names.pattern, n) for n in names)
