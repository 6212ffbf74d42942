"""A draft's open questions keep its settings from being used, and say what to find out."""

import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.settings import SettingsError, load_survey
from nightshift.settings.loader import config_folder
from nightshift.settings.open_questions import open_questions, question

SHIPPED = config_folder() / "lowell42"


def test_settings_with_open_questions_are_refused_with_file_key_and_question(tmp_path, monkeypatch):
    shutil.copytree(SHIPPED, tmp_path / "mine")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    for name, key, asked in (("site", "latitude_deg", "How far north?"), ("camera", "gain", "Electrons per ADU.")):
        file = tmp_path / "mine" / f"{name}.toml"
        file.write_text(
            re.sub(rf"^{key} = .*$", f'{key} = "{question(asked)}"', file.read_text(), flags=re.MULTILINE)
        )
    with pytest.raises(SettingsError) as caught:
        load_survey("mine")
    assert str(caught.value).splitlines() == [
        "not answered yet (put the value in the question's place):",
        f"{tmp_path}/mine/site.toml: site.latitude_deg: How far north?",
        f"{tmp_path}/mine/camera.toml: camera.quadrants.0.gain: Electrons per ADU.",
    ]


PLAIN = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text("abc xyz", max_size=9)
TABLES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("kq", min_size=1), inner)
)


@given(TABLES)
def test_settings_without_questions_have_none(tables):
    assert list(open_questions(tables)) == []


@given(TABLES, st.text("how far?", min_size=1).map(str.strip).filter(bool))
def test_a_question_is_found_wherever_it_stands(tables, text):
    assert list(open_questions({"a": [tables, {"b": question(text)}]})) == [("a.1.b", text)]
