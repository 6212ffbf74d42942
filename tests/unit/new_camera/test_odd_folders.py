"""A folder that no draft can be made of is said so; an odd file in it does no harm."""

from datetime import datetime

import numpy as np
import pytest

from nightshift.command_line import main
from nightshift.new_camera.camera_problem import CameraProblem
from nightshift.new_camera.guesses import Certainty
from nightshift.new_camera.propose import propose
from nightshift.new_camera.settings_writer import text_of


def quiet(_):
    """Say nothing of the progress."""


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(CameraProblem, match="no file there"):
        propose(tmp_path, quiet)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CameraProblem, match="is no folder"):
        propose(tmp_path / "nowhere", quiet)


def test_a_folder_without_images_says_what_its_files_are(tmp_path):
    (tmp_path / "a.fits").write_bytes(b"no fits at all")
    with pytest.raises(
        CameraProblem, match=r"none of 1 files is a FITS image:\n  a\.fits: it does not begin with SIMPLE"
    ):
        propose(tmp_path, quiet)


def test_two_cameras_are_told_apart_and_one_may_be_chosen(toycam, proposed):
    toycam.night()
    toycam.write("other_0001.fits", "LIGHT", datetime(2026, 1, 16, 3), 200, INSTRUME="<b>other</b>")
    with pytest.raises(
        CameraProblem, match=r"2 cameras .* --instrument:\n  INSTRUME = '<b>other</b>': 1 files: other_0001"
    ):
        proposed()
    proposal, _ = proposed(instrument="TOYCAM")
    assert len(proposal.found.files) == 12
    with pytest.raises(CameraProblem, match="no file is of 'x'"):
        proposed(instrument="x")


def test_nothing_but_darks_gives_a_draft_that_says_what_lacks(toycam, proposed):
    for number in range(3):
        toycam.write(f"d_{number:04}.fits", "DARK", datetime(2026, 1, 16, 1, number))
    proposal, values = proposed()
    assert values["camera.quadrants.gain"].certainty is Certainty.ASKED
    assert values["calibration.kinds"].value == ["dark"]
    assert any("No science frame" in note for note in proposal.draft.notes)


def test_names_that_the_ingest_refuses_are_left_out_and_shown_safely(toycam, proposed, capsys):
    toycam.night()
    whole = (toycam.folder / "img_0000.fits").read_bytes()
    for name in ("new\nline.fits", "\x1b[31mred.fits", "<script>alert(1)<.fits"):
        (toycam.folder / name).write_bytes(whole)
    proposal, _ = proposed()
    assert len(proposal.unread) == 3
    assert all(text.isprintable() for text in proposal.draft.notes)
    assert "\x1b" not in "".join(text_of(tables, "x") for tables in proposal.draft.files.values())


def test_header_values_cannot_break_the_files(toycam, proposed):
    import tomllib

    toycam.cards["INSTRUME"] = """it's a "cam" \\ # [x]"""
    toycam.night()
    proposal, _ = proposed()
    table = tomllib.loads(text_of(proposal.draft.files["camera.toml"], "x"))
    assert table["camera"]["instrument"] == "it_s_a_cam_x"


def test_a_card_that_does_not_parse_and_a_cut_file_do_no_harm(toycam, proposed):
    toycam.night()
    spoilt = toycam.folder / "img_0009.fits"
    content = spoilt.read_bytes()
    spoilt.write_bytes(content.replace(b"AIRMASS =                  1.1", b"AIRMASS = not'a= value'''''   "))
    (toycam.folder / "img_0012.fits").write_bytes(content[:4000])
    proposal, _ = proposed()
    assert len(proposal.found.files) == 12
    assert [each.path.name for each in proposal.unread] == ["img_0012.fits"]


def test_a_date_of_1970_is_no_date(toycam, proposed):
    for number in range(3):
        toycam.write(f"a_{number:04}.fits", "LIGHT", datetime(1970, 1, 1, 0, number), 200, stars=True)
    _, values = proposed()
    assert values["camera.header.date"].certainty is Certainty.ASKED
    assert "1970-01-01T00:00:00" in values["camera.header.date"].says


def test_a_cube_of_one_plane_is_an_image(toycam, proposed):
    for number in range(3):
        pixels = toycam.pixels(0.0)[np.newaxis]
        toycam.write(f"a_{number:04}.fits", "BIAS", datetime(2026, 1, 16, 0, number), pixels=pixels)
    _, values = proposed()
    assert values["camera.quadrants.shape"].value == [160, 200]


def test_the_command_writes_once_and_never_over(toycam, tmp_path, capsys):
    toycam.night()
    target = tmp_path / "toy_survey"
    assert main(["camera", "propose", str(toycam.folder), "--output", str(target)]) == 0
    said = capsys.readouterr().out
    assert "12 frames: 4 bias, 4 flat, 4 science" in said and "nightshift ingest --dry-run" in said
    assert {path.name for path in target.glob("*.toml")} == {
        "site.toml", "camera.toml", "fields.toml", "policy.toml", "jobs.toml",
    }  # fmt: skip
    before = {path: path.read_text() for path in target.iterdir()}
    assert main(["camera", "propose", str(toycam.folder), "--output", str(target)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert before == {path: path.read_text() for path in target.iterdir()}


def test_a_name_that_no_survey_can_have_is_refused_at_once(toycam, tmp_path, capsys):
    assert main(["camera", "propose", str(toycam.folder), "--output", str(tmp_path / "My Survey")]) == 2
    assert "small letters" in capsys.readouterr().err
