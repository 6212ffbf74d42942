"""A published list of fields becomes the table that the settings read."""

import shutil
from pathlib import Path

import pytest

from nightshift.catalogue.field_list import read_list
from nightshift.catalogue.star_table import CatalogueError
from nightshift.command_line import main
from nightshift.settings import load_survey
from nightshift.settings.fields_table import read_fields

BY_NUMBER = {"id": "1", "ra_deg": "2", "dec_deg": "3"}


def test_text_with_columns_by_number_is_read_and_written_as_the_settings_read_it(tmp_path):
    (tmp_path / "list.txt").write_text(
        "%  ID   RA      Dec   Ebv\n    1  0.00 -89.05  0.2\n  245  91.5  -24.25  0.1\n"
    )
    read_list(tmp_path / "list.txt", BY_NUMBER).write(tmp_path / "fields.csv")
    assert read_fields(tmp_path / "fields.csv") == [
        {"id": "1", "name": "1", "ra_deg": "0.0", "dec_deg": "-89.05"},
        {"id": "245", "name": "245", "ra_deg": "91.5", "dec_deg": "-24.25"},
    ]


def test_a_csv_with_names_of_its_own_is_read_by_them(tmp_path):
    (tmp_path / "list.csv").write_text("FieldNum,RAdeg,DEdeg,Label\n7,10.5,-3,M31\n")
    found = read_list(
        tmp_path / "list.csv", {"id": "FieldNum", "ra_deg": "RAdeg", "dec_deg": "DEdeg", "name": "Label"}
    )
    assert (found.ids.tolist(), found.names) == ([7], ["M31"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1 10 95", "row 1: 95 is no declination"),
        ("1 360 0", "row 1: 360 is no right ascension"),
        ("1.5 10 0", "is no id of a field"),
        ("one 10 0\nx 1 2", "'x' is no number"),
        ("1 10 0\n1 20 0", "field 1 stands twice"),
        ("", "has no row"),
        ("1 10", "there is no column '3' for dec_deg"),
        ("1 06:06:00 0", "must be turned into degrees first"),
    ],
)
def test_a_list_that_cannot_be_is_refused_with_column_and_row(tmp_path, line, expected):
    (tmp_path / "list.txt").write_text(line + "\n")
    with pytest.raises(CatalogueError) as caught:
        read_list(tmp_path / "list.txt", BY_NUMBER)
    assert expected in str(caught.value)


def test_the_table_may_be_named_before_it_is_there_and_is_not_written_over_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    shutil.copytree(Path(__file__).parents[3] / "config" / "demo", tmp_path / "demo")
    fields = tmp_path / "demo" / "fields.toml"
    fields.write_text(fields.read_text().replace("[sky]", '[sky]\nfields_table = "grid.csv"', 1))
    (tmp_path / "list.txt").write_text("7 10.5 -3\n")
    words = ["fields", "import", str(tmp_path / "list.txt"), "--survey", "demo"]
    words += [part for role, number in BY_NUMBER.items() for part in ("--column", f"{role}={number}")]
    assert main(words) == 0
    assert load_survey("demo").field(7) is not None
    assert main(words) == 2
    assert "--replace writes it anew" in capsys.readouterr().err
    assert main([*words, "--replace"]) == 0
