"""A survey's grid of fields is a table beside its settings."""

import re
import shutil

import pytest
from astropy.table import Table

from nightshift.kinds import kind_named
from nightshift.settings import SettingsError, load_survey
from nightshift.settings.loader import config_folder
from nightshift.settings.models import Survey
from nightshift.settings.stages import settings_of_job

SHIPPED = config_folder() / "demo"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of demo; ``[sky]`` names the table fields.csv."""
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    shutil.copytree(SHIPPED, tmp_path / "demo")
    return tmp_path / "demo"


def name_table(folder, name="fields.csv", more=""):
    fields = folder / "fields.toml"
    fields.write_text(re.sub(r"(?m)^\[sky\]$", f'[sky]\nfields_table = "{name}"\n{more}', fields.read_text()))


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_survey("demo")
    return str(caught.value)


def write_grid(folder, count=2000):
    rows = [f"{1000 + k},{k * 360 / count:.5f},{-80 + 160 * k / count:.5f}" for k in range(count)]
    (folder / "fields.csv").write_text("\n".join(["id,ra_deg,dec_deg", *rows, ""]))


def test_fields_of_a_table_stand_beside_those_that_are_written_out(folder):
    before = len(load_survey("demo").sky.fields)
    name_table(folder)
    write_grid(folder)
    survey = load_survey("demo")
    assert len(survey.sky.fields) == before + 2000
    assert survey.field(1001).name == "1001"
    assert survey.field(101) is not None


@pytest.mark.parametrize("kind", ["ecsv", "parquet"])
def test_a_table_may_be_ecsv_or_parquet(folder, kind):
    table = Table({"id": [1, 2], "name": ["A", "B"], "ra_deg": [10.0, 20.0], "dec_deg": [-5.0, 5.0]})
    if kind == "ecsv":
        table.write(folder / "fields.ecsv", format="ascii.ecsv")
    else:
        import pyarrow
        from pyarrow import parquet

        columns = {name: table[name].tolist() for name in table.colnames}
        parquet.write_table(pyarrow.table(columns), folder / "fields.parquet")
    name_table(folder, f"fields.{kind}")
    assert [load_survey("demo").field(number).name for number in (1, 2)] == ["A", "B"]


def test_a_change_of_the_table_is_noticed(folder):
    name_table(folder)
    write_grid(folder, 10)
    assert load_survey("demo").field(1011) is None
    write_grid(folder, 20)
    assert load_survey("demo").field(1011) is not None


def test_every_field_may_have_a_catalogue_by_a_rule(folder):
    name_table(folder, more='catalogue = "field{field:06d}.parquet"')
    write_grid(folder, 3)
    survey = load_survey("demo")
    assert str(survey.catalogue_of(1002)) == "field001002.parquet"
    assert survey.catalogue_of(101) == survey.field(101).catalogue


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,ra_deg\n1,2\n", "has no column dec_deg"),
        ("id,ra_deg,dec_deg,depth\n1,2,3,4\n", "'depth' is no column of a table of fields"),
        ("id,ra_deg,dec_deg\n", "has no row"),
        ("id,ra_deg,dec_deg\n1,400,3\n", "ra_deg"),
        ("id,ra_deg,dec_deg\n7,1,3\n7,2,3\n", "two entries have the id 7"),
        ("id,ra_deg,dec_deg\n101,1,3\n", "two entries have the id 101"),
    ],
)
def test_a_table_that_cannot_be_is_refused(folder, content, expected):
    name_table(folder)
    (folder / "fields.csv").write_text(content)
    assert expected in refusal()


def test_a_table_that_is_not_there_or_lies_elsewhere_is_refused(folder):
    name_table(folder)
    assert "fields.csv is not there" in refusal()
    fields = folder / "fields.toml"
    fields.write_text(fields.read_text().replace("fields.csv", "../fields.csv"))
    assert "the name of a file in the survey's folder" in refusal()


def test_one_catalogue_for_all_fields_is_refused(folder):
    name_table(folder, more='catalogue = "all.parquet"')
    write_grid(folder, 3)
    assert "all fields would share it" in refusal()


def test_job_files_do_not_carry_the_grid(folder):
    name_table(folder)
    write_grid(folder)
    survey = load_survey("demo")
    told = settings_of_job(survey, kind_named("science"))
    assert "fields" not in told["sky"]
    assert Survey.model_validate(told).sky.filters == survey.sky.filters
