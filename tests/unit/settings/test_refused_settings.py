"""Settings that would spoil a night are refused when they are read, with the file, the key and what to change."""

import re
import shutil

import pytest

from nightshift.settings import SettingsError, load_survey
from nightshift.settings.loader import config_folder

SHIPPED = config_folder() / "lowell42"


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """Change one line of a copy of lowell42 and return what reading it is refused with."""
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    shutil.copytree(SHIPPED, tmp_path / "lowell42")

    def refused(file: str, key: str, value: str) -> str:
        path = tmp_path / "lowell42" / file
        changed, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", path.read_text())
        assert count == 1
        path.write_text(changed)
        with pytest.raises(SettingsError) as caught:
            load_survey("lowell42")
        assert str(path) in str(caught.value)
        return str(caught.value)

    return refused


def test_a_section_beyond_the_image_is_refused_with_the_images_size(refusal):
    said = refusal("camera.toml", "overscan_section", '"[1388:1500,1:1370]"')
    assert "overscan_section = [1388:1500,1:1370] reaches beyond the image of 1432 columns and 1370 rows" in said


def test_a_shape_written_columns_first_is_noticed(refusal):
    assert "(shape is rows first, then columns)" in refusal("camera.toml", "shape", "[1432, 1370]")


def test_data_that_overlap_the_overscan_are_refused(refusal):
    said = refusal("camera.toml", "data_section", '"[18:1390,1:1370]"')
    assert "data_section = [18:1390,1:1370] and overscan_section = [1388:1432,1:1370] overlap" in said


def test_a_section_counted_from_0_is_refused(refusal):
    assert "counted from 1" in refusal("camera.toml", "data_section", '"[17:1381,0:1369]"')


def test_a_section_with_its_ends_exchanged_is_refused(refusal):
    assert "the smaller number first" in refusal("camera.toml", "data_section", '"[1382:18,1:1370]"')


@pytest.mark.parametrize("name", ["Arizona/Phoenix", "MST+7", "../etc/passwd", ""])
def test_an_unknown_time_zone_is_refused(refusal, name):
    assert "no such time zone" in refusal("site.toml", "time_zone", f'"{name}"')
