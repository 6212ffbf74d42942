"""What files would be registered as is found without a ledger, and nothing is moved."""

import argparse
import os
from pathlib import Path

import pytest

from nightshift.ingest import commands


@pytest.fixture
def dry_run(capsys):
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers())

    def call(*paths: Path) -> tuple[int, list[str]]:
        options = parser.parse_args(["ingest", "--dry-run", "--headers-only", "--survey", "demo", *map(str, paths)])
        return options.run(options), capsys.readouterr().out.splitlines()

    return call


def test_each_file_of_a_folder_is_said_with_what_the_settings_make_of_it(dry_run, frames_in, tmp_path):
    (tmp_path / "science").mkdir()
    frames_in(tmp_path / "science")(0, 2)
    frames_in(tmp_path)(1, kind="bias")
    before = sorted(tmp_path.rglob("*"))
    code, said = dry_run(tmp_path)
    assert code == 0
    assert said == [
        f"{tmp_path}/demo_20260116080100_d01.fits: bias, exposure 20260116080100, detector 1, "
        "2026-01-16 08:01:00 UTC, 0 s",
        f"{tmp_path}/science/demo_20260116080000_d02.fits: science, exposure 20260116080000, detector 2, "
        "2026-01-16 08:00:00 UTC, 30 s, filter g, field 101, at 150.1000 +22.2000 deg",
        "1 bias; 1 science",
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_what_would_be_quarantined_is_said_with_its_reason(dry_run, frames_in, tmp_path):
    frames = frames_in(tmp_path)
    frames(0, kind="focus")
    frames(1, name="other.fits")
    (tmp_path / "manifest_20260115.json").write_text("{}")
    code, said = dry_run(tmp_path)
    assert code == 1
    assert said[0].startswith(f"{tmp_path}/demo_20260116080000_d01.fits: quarantined, image_type_not_recognised: ")
    assert "IMAGETYP" in said[0]
    assert said[1].startswith(f"{tmp_path}/other.fits: quarantined, name_not_recognised: ")
    assert said[2] == "1 quarantined, image_type_not_recognised; 1 quarantined, name_not_recognised"


def test_a_frame_beside_all_fields_is_said_with_its_pointing(dry_run, frames_in, tmp_path):
    _, said = dry_run(frames_in(tmp_path)(0, RA=10.0, DEC=-5.0))
    assert said[0].endswith("no field of the survey, at 10.0000 -5.0000 deg")


def test_an_empty_folder_is_no_success(dry_run, tmp_path):
    assert dry_run(tmp_path) == (1, ["no file there"])


def test_files_of_one_name_are_told_apart_by_their_folders(dry_run, frames_in, tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        frames_in(tmp_path / folder)(0)
    _, said = dry_run(tmp_path)
    assert [line.partition(": ")[0] for line in said[:2]] == [
        f"{tmp_path}/{folder}/demo_20260116080000_d01.fits" for folder in ("first", "second")
    ]


def test_a_name_moves_no_terminal_and_one_that_is_no_text_ends_nothing(dry_run, tmp_path):
    for name in (b"clear\x1b[2J.fits", b"two\nlines.fits", b"latin\xe9.fits"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"no image")
    code, said = dry_run(tmp_path)
    assert code == 1
    assert [line.partition(": ")[0] for line in said[:3]] == [
        f"{tmp_path}/{name}" for name in (r"clear\x1b[2J.fits", r"latin\xe9.fits", r"two\nlines.fits")
    ]


def test_a_focus_frame_may_be_a_part_of_the_detector(dry_run, frames_in, tmp_path, monkeypatch):
    import re
    import shutil

    from nightshift.settings.loader import config_folder

    shutil.copytree(config_folder() / "demo", tmp_path / "config" / "demo")
    camera = tmp_path / "config" / "demo" / "camera.toml"
    rule = '[[camera.image_types]]\nkind = "engineering"\nwhen = { IMAGETYP = "focus" }\n\n'
    text = re.sub(r"^shape = .*$", "shape = [999, 998]", camera.read_text(), flags=re.MULTILINE)
    camera.write_text(text.replace("[[camera.image_types]]", f"{rule}[[camera.image_types]]", 1))
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path / "config"))
    frames = frames_in(tmp_path / "raw")
    (tmp_path / "raw").mkdir()
    frames(0, kind="focus")
    frames(1, kind="bias")
    _, said = dry_run(tmp_path / "raw")
    assert "engineering, exposure" in said[0]
    assert "quarantined, wrong_shape" in said[1]
