"""The form of a new reference lets a person choose a field of a survey of any size."""

import shutil

import jsonschema
import pytest

from nightshift.errors import BadInput
from nightshift.kinds.reference.regenerate import read_regeneration
from nightshift.settings import load_survey
from nightshift.settings.loader import config_folder
from operators.forms import regeneration_form

ASKED = {"filter": "g", "quadrants": [], "explanation": "a better night", "serves": "now", "dry_run": True}
SHIPPED = config_folder() / "demo"


@pytest.fixture
def thousands(tmp_path, monkeypatch):
    """The demo survey with a grid of two thousand fields."""
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    shutil.copytree(SHIPPED, tmp_path / "demo")
    fields = tmp_path / "demo" / "fields.toml"
    fields.write_text(fields.read_text().replace("[sky]", '[sky]\nfields_table = "fields.csv"', 1))
    rows = "\n".join(f"{1000 + k},{k / 10},{k / 50 - 20}" for k in range(2000))
    (tmp_path / "demo" / "fields.csv").write_text(f"id,ra_deg,dec_deg\n{rows}\n")
    return load_survey("demo")


def test_a_field_of_thousands_is_typed_by_its_number(thousands):
    schema = regeneration_form()["field"].schema
    jsonschema.validate(1500, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("everything", schema)
    assert read_regeneration(thousands, {**ASKED, "field": 1500}).field == 1500


def test_a_field_that_is_none_is_refused_without_a_list_of_thousands(thousands):
    with pytest.raises(BadInput) as caught:
        read_regeneration(thousands, {**ASKED, "field": 9})
    assert "field is 9; allowed are 101, 102" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_any_field_may_be_asked_for_where_files_name_it_and_none_is_listed():
    ztf = load_survey("ztf")
    assert read_regeneration(ztf, {**ASKED, "filter": "zg", "field": 635}).field == 635
    with pytest.raises(BadInput, match="none listed"):
        read_regeneration(ztf, {**ASKED, "filter": "zg", "field": "M31"})
