"""Playing a night, and making one of a folder of real files."""

import json
import os
import shutil
from datetime import date
from pathlib import Path

import pytest
from astropy.io import fits

from nightshift.errors import NeedsOperator
from nightshift.files import sha256_of
from nightshift.settings import load_survey
from rehearsal.simulator import pauses_before_science, play, prepare_real_night


def made_files(folder: Path, n: int) -> list[Path]:
    folder.mkdir()
    for k in range(n):
        (folder / f"{k}.fits").write_bytes(bytes([k]) * 100)
    return sorted(folder.iterdir())


def test_files_arrive_whole_in_order_and_the_manifest_last(tmp_path):
    files, inbox = made_files(tmp_path / "raw", 3), tmp_path / "inbox"
    manifest = tmp_path / "manifest_20251120.json"
    manifest.write_text("{}")
    seen = []

    def look(_seconds):
        seen.append(sorted(p.name for p in inbox.iterdir()))

    assert play(files, inbox, manifest=manifest, interval_s=0.1, sleep=look) == 3
    assert seen == [["0.fits"], ["0.fits", "1.fits"], ["0.fits", "1.fits", "2.fits"]]
    assert (inbox / manifest.name).exists() and (inbox / "2.fits").read_bytes() == files[2].read_bytes()


def test_the_next_file_is_held_while_the_pipeline_asks_for_it(tmp_path):
    files, inbox = made_files(tmp_path / "raw", 2), tmp_path / "inbox"
    answers, slept = iter([False, True, True, False]), []
    play(files, inbox, interval_s=1.0, backpressure=lambda: next(answers), poll_s=9.0, sleep=slept.append)
    assert slept == [1.0, 9.0, 9.0, 1.0]


def test_a_pause_is_made_between_calibrations_and_science(tiny, tmp_path):
    pauses = pauses_before_science(tiny.made.survey, tiny.made.files, 7.0)
    assert pauses == {next(p for p in tiny.made.files if tiny.science[0].exposure_id in p.name): 7.0}
    slept = []
    play(tiny.made.files, tmp_path, interval_s=0.0, pauses_s=pauses, sleep=slept.append)
    assert slept.count(7.0) == 1


def test_a_folder_of_real_files_becomes_a_night_in_shutter_order(tiny, tmp_path):
    nested = tmp_path / "raw"
    for k, path in enumerate(tiny.made.files):
        target = nested / f"sub{(k * 7) % 3}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (nested / "notes.txt").write_text("not a frame")
    (nested / "manifest_20251120.json").write_text("{}")  # what comes beside the frames is not left out of them
    (nested / f"{tiny.made.files[0].name}.sha256").write_text("0" * 64)
    night = prepare_real_night(tiny.made.survey, nested, tmp_path / "out")
    assert night.left_out == 1
    assert [p.name for p in night.files] == [p.name for p in tiny.made.files]
    manifest = json.loads(night.manifest.read_text())
    assert manifest["synthetic"] is True and manifest["night"] == tiny.made.night.isoformat()
    assert [f["sha256"] for f in manifest["files"]] == [sha256_of(p) for p in tiny.made.files]


def test_an_unreadable_file_is_played_too(tiny, tmp_path):
    shutil.copyfile(tiny.made.files[0], tmp_path / tiny.made.files[0].name)
    (tmp_path / "demo_20251121030000_d01.fits").write_bytes(b"not FITS at all")
    night = prepare_real_night(tiny.made.survey, tmp_path, tmp_path / "out")
    assert [p.name for p in night.files] == [tiny.made.files[0].name, "demo_20251121030000_d01.fits"]


def test_one_night_of_a_folder_of_several_can_be_chosen(tiny, tmp_path):
    first = tiny.made.files[0]
    shutil.copyfile(first, tmp_path / first.name)
    with fits.open(first) as units:
        units[0].header["DATE-OBS"] = "2025-11-25T03:00:00"
        units.writeto(tmp_path / "demo_20251125030000_d01.fits")
    with pytest.raises(NeedsOperator, match="NIGHT="):
        prepare_real_night(tiny.made.survey, tmp_path, tmp_path / "out")
    night = prepare_real_night(tiny.made.survey, tmp_path, tmp_path / "out", night=date(2025, 11, 24))
    assert [p.name for p in night.files] == ["demo_20251125030000_d01.fits"]
    assert night.left_out == 1


def test_a_folder_without_frames_is_said_so(tmp_path):
    with pytest.raises(NeedsOperator, match="no file below"):
        prepare_real_night(load_survey("demo"), tmp_path, tmp_path)


def test_the_real_lowell_night_is_in_order(lowell_folder, tmp_path):
    night = prepare_real_night(load_survey("lowell42"), lowell_folder, tmp_path)
    numbers = [int(p.name.split(".")[1]) for p in night.files]
    assert night.night == date(2019, 3, 25) and len(numbers) == 55
    assert numbers == sorted(numbers)


@pytest.fixture
def lowell_folder() -> Path:
    shipped = Path(__file__).parents[3] / ".." / "shared" / "data"
    folder = Path(os.environ.get("NIGHTSHIFT_DATA", shipped)) / "lowell-20190326"
    if not folder.is_dir():
        pytest.skip(f"real data are not at {folder}; set NIGHTSHIFT_DATA")
    return folder
