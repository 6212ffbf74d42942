"""A trial of lowell42's settings, right and wrong, on the real night's frames (``NIGHTSHIFT_DATA``)."""

import re
import shutil

import pytest

from benchmarks._lowell import Night
from nightshift.ingest.dry_run import files_below, find_out
from nightshift.settings import load_deployment
from nightshift.settings.loader import config_folder
from nightshift.trial_reduction import Severity, try_out
from nightshift.trial_reduction.frames import TrialFrame
from nightshift.trial_reduction.readout import check_readout
from nightshift.trial_reduction.reduce import TrialQuadrant, reduce_frames

SHIPPED = config_folder() / "lowell42"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not Night.place().is_dir(), reason=f"the real night is not at {Night.place()}; set NIGHTSHIFT_DATA"
    ),
]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Change keys of a copy of lowell42: ``settings("camera.toml", saturation="600.0")`` returns the survey."""
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    shutil.copytree(SHIPPED, tmp_path / "lowell42")

    def changed(file="camera.toml", **keys):
        path = tmp_path / "lowell42" / file
        for key, value in keys.items():
            text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", path.read_text())
            assert count == 1
            path.write_text(text)
        return load_deployment("lowell42").survey

    return changed


def frames_of(survey):
    deployment = load_deployment("lowell42")
    found = find_out(files_below([Night.place()]), deployment)
    return [TrialFrame.of(finding.path, finding.frame, survey) for finding in found if finding.frame]


def errors(remarks):
    return [str(remark) for remark in remarks if remark.severity is Severity.ERROR]


def test_the_shipped_settings_have_no_error_and_the_frame_is_measured(settings):
    survey = settings()
    remarks = list(try_out(survey, frames_of(survey)))
    assert errors(remarks) == []
    text = "\n".join(map(str, remarks))
    assert "is lit in [17:1382,1:1370], as the sections have it" in text
    assert "master flat VR: 6 of 7 frames are good; left out: 1 level_out_of_range" in text
    seeing = re.search(r'is calibrated: .*FWHM (\d\.\d+)"', text)
    assert seeing is not None
    assert 1.2 < float(seeing[1]) < 3.0


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"saturation": "600.0"}, r"100% of the pixels of the bias .* reach the saturation of 600 ADU"),
        ({"data_section": '"[1:1382,1:1370]"', "sections_from_header": "false"}, r"16 of its .* saw no light"),
        (
            {"data_section": '"[18:1000,1:1370]"', "overscan_section": '"[1010:1054,1:1370]"',
             "sections_from_header": "false"},
            r"the overscan section \[1010:1054,1:1370\] is lit",
        ),
    ],
)  # fmt: skip
def test_what_the_pixels_contradict_is_an_error_with_the_key(settings, keys, expected):
    survey = settings(**keys)
    found = errors(check_readout(survey, frames_of(survey), 1, 1))
    assert found
    assert re.search(expected, found[0])
    assert "camera.toml: [[camera.quadrants]] of id 1" in found[0]


def test_copied_bounds_on_flats_that_reject_them_all_are_an_error_with_their_levels(settings, tmp_path):
    survey = settings("policy.toml", flat_level_adu="[100.0, 2000.0]")
    frames = [item for item in frames_of(survey) if item.frame.image_type != "science"]
    found = errors(reduce_frames(TrialQuadrant(survey, 1, 1, tmp_path / "made"), frames))
    assert len([text for text in found if "master flat VR" in text]) == 1
    text = next(text for text in found if "master flat VR" in text)
    assert "7 level_out_of_range" in text
    assert re.search(r"levels 19717 to 32195 ADU .*policy.toml: calibration.flat_level_adu", text)
