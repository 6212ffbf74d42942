"""Settings proposed for real cameras load, and every frame is what it is known to be (``NIGHTSHIFT_DATA``)."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from nightshift.ingest.dry_run import files_below, find_out
from nightshift.new_camera.propose import propose
from nightshift.new_camera.settings_writer import write_draft
from nightshift.settings import load_deployment, load_survey

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))

pytestmark = pytest.mark.integration


@pytest.fixture
def draft_of(tmp_path, monkeypatch):
    """Propose, write, answer and load the settings of the camera of one folder."""
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))

    def call(name: str, **answers):
        raw = DATA / name
        if not raw.is_dir():
            pytest.skip(f"the real files are not at {raw}; set NIGHTSHIFT_DATA")
        write_draft(propose(raw, lambda _: None).draft, tmp_path / "mine", name)
        for file in (tmp_path / "mine").glob("*.toml"):
            text = file.read_text()
            for key, value in answers.items():
                text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
            file.write_text(text)
        findings = list(find_out(files_below([raw]), load_deployment("mine")))
        kinds = Counter(f.frame.image_type.value if f.frame else f"{f.reason}: {f.detail}" for f in findings)
        return load_survey("mine"), dict(kinds), [f.frame for f in findings if f.frame]

    return call


def test_arcsat_needs_no_line_by_hand(draft_of):
    survey, kinds, frames = draft_of("arcsat-20250530")
    assert kinds == {"bias": 7, "dark": 5, "flat": 3, "science": 26}
    assert {frame.field for frame in frames if frame.image_type == "science"} == {1}
    assert survey.camera.pixel_scale_arcsec == pytest.approx(0.67, rel=0.01)
    assert (survey.camera.parity, round(survey.camera.rotation_deg)) == (1, 180)
    assert survey.calibration.at_least_frames == 3
    assert survey.site.longitude_deg == pytest.approx(-105.82, abs=0.01)
    assert len({frame.key.exposure_id for frame in frames}) == 41


def test_wallace_of_two_nights_has_its_focus_frames_and_its_western_longitude(draft_of):
    survey, kinds, frames = draft_of("wallace-2018")
    assert kinds == {"bias": 13, "dark": 9, "engineering": 9, "science": 37}
    assert Counter(frame.field for frame in frames if frame.image_type == "science") == {
        1: 25,
        2: 11,
        None: 1,
    }  # Mars
    assert survey.site.longitude_deg == pytest.approx(-71.485, abs=0.001)
    assert survey.site.observatory_code == "810"
    assert survey.camera.quadrants[0].saturation == pytest.approx(60000, rel=0.03)
    assert (survey.camera.parity, abs(survey.camera.rotation_deg) < 2) == (1, True)
    assert {frame.key.exposure_id.split("_")[0] for frame in frames} == {"20181012", "20181017"}


def test_sparc4_by_local_time_without_a_fitting_bias_needs_its_pixel_scale(draft_of):
    survey, kinds, frames = draft_of("sparc4-20220416", pixel_scale_arcsec=0.34)
    assert kinds == {"engineering": 3, "flat": 3, "science": 4}  # its ZERO frames were read out in another mode
    assert survey.camera.header.utc_offset_h == -3
    first = min(frame.header.shutter_open for frame in frames if frame.image_type == "science")
    assert f"{first:%Y-%m-%d %H:%M:%S}" == "2022-04-17 00:38:03"
    assert survey.camera.quadrants[0].gain == pytest.approx(3.37, rel=0.02)
    assert survey.camera.quadrants[0].read_noise == 6.66
    assert survey.site.longitude_deg == pytest.approx(-45.58, abs=0.05)
    assert survey.site.latitude_deg == pytest.approx(-22.53, abs=0.5)


def test_lowell_comes_out_as_the_settings_made_by_hand(draft_of, monkeypatch):
    survey, kinds, _ = draft_of("lowell-20190326")
    monkeypatch.delenv("NIGHTSHIFT_CONFIG")
    by_hand = load_survey("lowell42")
    assert kinds == {"bias": 12, "flat": 8, "science": 35}
    mine, theirs = survey.camera.quadrants[0], by_hand.camera.quadrants[0]
    same = ("extension", "shape", "data_section", "overscan_section", "sections_from_header")
    assert [getattr(mine, key) for key in same] == [getattr(theirs, key) for key in same]
    assert mine.gain == pytest.approx(theirs.gain, rel=0.02)
    assert mine.read_noise == pytest.approx(theirs.read_noise, rel=0.02)
    assert mine.saturation == pytest.approx(theirs.saturation, rel=0.03)
    assert survey.calibration.kinds == by_hand.calibration.kinds
    assert survey.camera.header.time == by_hand.camera.header.time
