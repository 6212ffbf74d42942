"""Faults and real files for the night of a survey of several instruments: chosen by instrument."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits

from nightshift.errors import BadInput
from nightshift.settings import SettingsError, load_deployment
from rehearsal.play.night_input import MaterialRequest, _real, raw_folders, truth_of
from rehearsal.simulator.faults import faults_of_each

NETWORK = ("north_single", "north_wide", "south_wide")
NAMES = {"north_single": "single_{}.fits", "north_wide": "wn_{}_d01.fits", "south_wide": "ws_{}_d01.fits"}
EVENING = datetime(2025, 11, 21, 1)


def put(raw: Path, instrument: str, shutter: datetime = EVENING) -> Path:
    path = raw / instrument / NAMES[instrument].format(f"{shutter:%Y%m%d%H%M%S}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unit = fits.PrimaryHDU()
    unit.header.update({
        "INSTRUME": instrument.upper(), "IMAGETYP": "bias", "DETECTOR": 1, "EXPTIME": 0.0,
        "DATE-OBS": f"{shutter:%Y-%m-%dT%H:%M:%S}.000",
    })  # fmt: skip
    unit.writeto(path)
    return path


def names(requests):
    return [(request.fault.name, request.selector) for request in requests]


def test_faults_are_of_the_instrument_that_they_name():
    asked = faults_of_each(["north_wide/truncated:d01,south_wide/clouds", "north_wide/clouds"], NETWORK)
    assert names(asked["north_wide"]) == [("truncated", "d01"), ("clouds", "")]
    assert names(asked["south_wide"]) == [("clouds", "")]
    assert asked["north_single"] == ()


def test_the_only_instrument_need_not_be_named():
    for word in ("clouds", "democam/clouds"):
        assert names(faults_of_each([word], ["democam"])["democam"]) == [("clouds", "")]


@pytest.mark.parametrize("word", ["clouds", "east_wide/clouds"])
def test_faults_of_no_instrument_are_refused_with_the_form_that_works(word):
    with pytest.raises(BadInput, match="as north_single/clouds; there are the instruments north_single, north_wide"):
        faults_of_each([word], NETWORK)


def test_real_files_of_several_instruments_are_one_night_with_a_part_of_the_manifest_each(tmp_path):
    for instrument in NETWORK:
        put(tmp_path / "raw", instrument)
    (tmp_path / "night").mkdir()
    made = _real(MaterialRequest("network", tmp_path / "night", raw=tmp_path / "raw"))
    every = [made, *made["beside"]]
    assert [own["instrument"] for own in every] == list(NETWORK)
    assert [len(own["files"]) for own in every] == [1, 1, 1]
    parts = [json.loads(Path(own["manifest"]).read_text()) for own in every]
    assert [(part["site"], part["part"], part["parts"]) for part in parts] == [
        ("north", 1, 2), ("north", 2, 2), ("south", 1, 1),
    ]  # fmt: skip


def test_an_instrument_without_a_folder_sends_nothing_and_none_at_all_is_refused(tmp_path):
    deployment = load_deployment("network")
    with pytest.raises(SettingsError, match="has none of the folders north_single, north_wide, south_wide"):
        raw_folders(deployment, tmp_path)
    put(tmp_path, "south_wide")
    ((survey, folder),) = raw_folders(deployment, tmp_path)
    assert (survey.camera.instrument, folder) == ("south_wide", tmp_path / "south_wide")
    assert raw_folders(deployment.of_instrument("north_wide"), tmp_path)[0][1] == tmp_path


def test_real_files_of_different_nights_are_refused_with_the_folders_and_nights(tmp_path):
    put(tmp_path, "north_wide")
    put(tmp_path, "south_wide", EVENING + timedelta(days=1))
    with pytest.raises(SettingsError, match=r"north_wide: 2025-11-20, .*south_wide: 2025-11-21\): NIGHT chooses"):
        _real(MaterialRequest("network", tmp_path / "night", raw=tmp_path))


def test_the_truth_of_each_instrument_is_beside_the_others(tmp_path):
    network = load_deployment("network")
    assert truth_of(tmp_path, network, "south_wide") == tmp_path / "south_wide" / "truth"
    assert truth_of(tmp_path, network.of_instrument("south_wide"), "south_wide") == tmp_path / "truth"
