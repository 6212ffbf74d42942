"""A user's table becomes a field's catalogue, or the message says which file, column and row is wrong."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time
from pyarrow import parquet

from nightshift.catalogue.folder import place_catalogues
from nightshift.command_line import main
from nightshift.depot import Depot
from nightshift.settings import load_survey
from reduction.measure.catalogue import read_catalogue

FIELD = load_survey("demo").field(101)


def stars(number: int = 60, **columns) -> Table:
    random = np.random.default_rng(1)
    table = Table({
        "ra": FIELD.ra_deg + random.uniform(-0.1, 0.1, number),
        "dec": FIELD.dec_deg + random.uniform(-0.1, 0.1, number),
        "mag_g": random.uniform(14, 19, number), "mag_r": random.uniform(13, 18, number),
    })  # fmt: skip
    for name, values in columns.items():
        table[name] = values
    return table


def written(table: Table, path: Path) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.table({name: np.asarray(table[name]) for name in table.colnames}), path)
    else:
        table.write(path)
    return path


def prepare(table: Path, output: Path, *more: str) -> int:
    words = ["catalogue", "prepare", str(table), "--survey", "demo", "--field", "101", "--output", str(output)]
    return main([*words, *more])


def refusal(capsys, *words) -> str:
    assert prepare(*words) == 2
    assert not words[1].exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("source", ["t.fits", "t.parquet", "t.csv", "t.ecsv"])
@pytest.mark.parametrize("target", ["c.fits", "c.parquet"])
def test_a_table_of_any_format_becomes_a_catalogue_that_the_reduction_reads(tmp_path, source, target):
    table = stars()
    assert prepare(written(table, tmp_path / source), tmp_path / target) == 0
    found = read_catalogue(tmp_path / target, "r", ("g", "r"))
    order = np.argsort(table["mag_r"])
    np.testing.assert_allclose(found.ra, table["ra"][order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.dec, table["dec"][order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.magnitude, table["mag_r"][order], atol=1e-5)
    np.testing.assert_allclose(found.colour, (table["mag_g"] - table["mag_r"])[order], atol=1e-5)


def test_columns_of_other_names_are_mapped_and_their_units_turned_into_degrees(tmp_path):
    table = stars()
    other = Table({"RAJ2000": table["ra"] / 15, "DEJ2000": table["dec"] * 60, "rmag": table["mag_r"]})
    other["RAJ2000"].unit, other["DEJ2000"].unit, other["rmag"].unit = "hourangle", "arcmin", "mag(AB)"
    source, target = written(other, tmp_path / "t.ecsv"), tmp_path / "c.fits"
    assert prepare(source, target, "--column", "ra=RAJ2000", "--column", "dec=DEJ2000", "--column", "mag_r=rmag") == 0
    np.testing.assert_allclose(np.sort(read_catalogue(target, "r").ra), np.sort(table["ra"]), rtol=0, atol=1e-10)


def test_places_are_brought_to_the_epoch_as_astropy_brings_them(tmp_path):
    random = np.random.default_rng(2)
    motion = {name: random.normal(0, 300, 60) for name in ("pm_ra", "pm_dec")}
    table = stars(**motion)
    source, target = written(table, tmp_path / "t.fits"), tmp_path / "c.fits"
    assert prepare(source, target, "--epoch", "2016", "--to-epoch", "2026") == 0
    start = SkyCoord(
        table["ra"] * units.deg, table["dec"] * units.deg, pm_ra_cosdec=table["pm_ra"] * units.mas / units.yr,
        pm_dec=table["pm_dec"] * units.mas / units.yr, obstime=Time(2016.0, format="jyear"), distance=1 * units.kpc,
    )  # fmt: skip
    end = start.apply_space_motion(Time(2026.0, format="jyear"))
    made = Table.read(target)
    found = SkyCoord(made["ra"], made["dec"], unit="deg")
    apart = found[np.argsort(made["ra"])].separation(SkyCoord(end.ra, end.dec)[np.argsort(end.ra)])
    assert apart.arcsec.max() < 1e-4
    assert SkyCoord(table["ra"], table["dec"], unit="deg").separation(end).arcsec.max() > 3
    assert made.meta["EPOCH"] == 2026.0


def test_a_star_without_proper_motion_stays_and_is_counted(tmp_path, capsys):
    table = stars(pm_ra=np.full(60, 100.0), pm_dec=np.zeros(60))
    table["pm_ra"][7] = np.nan
    assert (
        prepare(written(table, tmp_path / "t.fits"), tmp_path / "c.fits", "--epoch", "2016", "--to-epoch", "2026")
        == 0
    )
    assert "1 stars have no proper motion" in capsys.readouterr().out
    assert np.isin(table["ra"][7], Table.read(tmp_path / "c.fits")["ra"])


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(tmp_path, capsys):
    assert prepare(written(stars(), tmp_path / "t.fits"), tmp_path / "c.fits", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "would write 60 stars" in said and "mag_r" in said and "60 of 60 stars" in said
    assert not (tmp_path / "c.fits").exists()


def test_a_filter_without_magnitudes_is_named(tmp_path, capsys):
    table = stars()
    del table["mag_g"]
    assert prepare(written(table, tmp_path / "t.csv"), tmp_path / "c.fits", "--dry-run") == 0
    assert "mag_g    has no column: frames in filter g cannot be calibrated by it" in capsys.readouterr().out
    assert prepare(written(stars(), tmp_path / "all.csv"), tmp_path / "c.fits", "--dry-run") == 0
    assert "has no column" not in capsys.readouterr().out


def test_only_what_the_camera_can_see_of_the_field_is_taken(tmp_path, capsys):
    table = stars()
    table["dec"][:10] += 5
    assert prepare(written(table, tmp_path / "t.fits"), tmp_path / "c.fits") == 0
    assert "60 rows, 10 farther" in capsys.readouterr().out
    assert len(Table.read(tmp_path / "c.fits")) == 50


def test_numbers_that_stand_for_no_value_are_none_when_that_is_said(tmp_path, capsys):
    table = stars()
    table["mag_g"][3] = -999
    source, target = written(table, tmp_path / "t.fits"), tmp_path / "c.fits"
    said = refusal(capsys, source, target)
    assert "t.fits: column 'mag_g', row 4: -999 is no magnitude" in said and "--missing" in said
    assert prepare(source, target, "--missing=-999") == 0
    assert (~np.isfinite(np.ma.filled(Table.read(target)["mag_g"], np.nan))).sum() == 1


@pytest.mark.parametrize(("change", "said"), [
    ({"ra": 400.0}, "column 'ra', row 6: 400 degrees is no place: it must be within 0..360"),
    ({"dec": -91.0}, "column 'dec', row 6: -91 degrees is no place"),
    ({"dec": np.nan}, "column 'dec', row 6: nan degrees is no place"),
    ({"mag_r": 99.0}, "column 'mag_r', row 6: 99 is no magnitude"),
])  # fmt: skip
def test_a_value_that_cannot_be_is_named_with_its_row(tmp_path, capsys, change, said):
    table = stars()
    for name, value in change.items():
        table[name][5] = value
    message = refusal(capsys, written(table, tmp_path / "t.fits"), tmp_path / "c.fits")
    assert said in message and str(tmp_path / "t.fits") in message


def test_text_where_a_number_belongs_is_named_with_its_row(tmp_path, capsys):
    table = stars()
    table["ra"] = [f"10:00:{k:02d}" for k in range(60)]
    message = refusal(capsys, written(table, tmp_path / "t.csv"), tmp_path / "c.fits")
    assert "column 'ra', row 1: '10:00:00' is no number; sexagesimal" in message


def test_a_column_in_another_kind_of_unit_is_refused(tmp_path, capsys):
    table = stars()
    table["ra"].unit = "km"
    assert "column 'ra' is in km, which is no deg" in refusal(
        capsys, written(table, tmp_path / "t.fits"), tmp_path / "c.fits"
    )


@pytest.mark.parametrize(("words", "said"), [
    (["--column", "mag_z=zmag"], "no role 'mag_z'"),
    (["--column", "ra=RA2000"], "there is no column 'RA2000'; there are: ra, dec"),
    (["--to-epoch", "2026"], "needs proper motions"),
    (["--column", "pm_ra=mag_g"], "no epoch to bring places to"),
    (["--radius", "0.000001"], "none of 60 stars lies within"),
    (["--radius", "0"], "a radius of 0 degrees takes in no star: it must be above 0"),
    (["--radius", "-1"], "a radius of -1 degrees takes in no star"),
    (["--radius", "nan"], "a radius of nan degrees takes in no star"),
])  # fmt: skip
def test_what_is_asked_for_and_cannot_be_is_said(tmp_path, capsys, words, said):
    assert said in refusal(capsys, written(stars(), tmp_path / "t.fits"), tmp_path / "c.fits", *words)


@pytest.mark.parametrize(("name", "content", "said"), [
    ("t.txt", b"ra,dec\n1,2\n", "ends with none of"),
    ("t.fits", b"no table", "does not read as fits"),
    ("t.parquet", b"no table", "does not read as parquet"),
    ("t.csv", b"ra,dec,mag_r\n1,2\n3,4,5,6\n", "does not read as csv"),
    ("t.csv", b"ra,dec,mag_r\n", "has no row"),
    ("t.csv", b"a,b\n1,2\n", "no column is named for 'ra'; there are: a, b"),
    ("t.csv", b"ra,dec\n1,2\n", "no column is named for a magnitude"),
])  # fmt: skip
def test_a_file_that_is_no_table_of_stars_is_named(tmp_path, capsys, name, content, said):
    (tmp_path / name).write_bytes(content)
    message = refusal(capsys, tmp_path / name, tmp_path / "c.fits")
    assert said in message and name in message and "defect" not in message


def test_a_field_or_a_name_that_cannot_be_is_said(tmp_path, capsys):
    source = written(stars(), tmp_path / "t.fits")
    assert "ends with .fits or .parquet" in refusal(capsys, source, tmp_path / "c.txt")
    assert main(["catalogue", "prepare", str(source), "--survey", "demo", "--field", "7"]) == 2
    assert "no field 7" in capsys.readouterr().err


def test_what_is_left_to_do_is_said_by_where_the_catalogue_was_written(tmp_path, monkeypatch, capsys):
    def advice(output: Path | None, **of_the_field) -> str:
        field = FIELD.model_copy(update=of_the_field)
        monkeypatch.setattr("nightshift.settings.Survey.field", lambda survey, number: field)
        words = ["catalogue", "prepare", str(source), "--survey", "demo", "--field", "101"]
        assert main(words if output is None else [*words, "--output", str(output)]) == 0
        return next((k for k in capsys.readouterr().out.splitlines() if k.startswith("for nights to use it: ")), "")

    monkeypatch.setattr("nightshift.catalogue.folder.config_folder", lambda: tmp_path / "config")
    source, folder = written(stars(), tmp_path / "t.fits"), tmp_path / "config" / "demo" / "catalogues"
    line = 'give field 101 in fields.toml  catalogue = "{}"'.format
    assert advice(None, catalogue="a.fits") == ""
    assert (folder / "a.fits").is_file()
    assert advice(None, catalogue=None).endswith(f": {line('field000101.fits')}")
    assert advice(folder / "b.parquet", catalogue="a.fits").endswith(f": {line('b.parquet')}")
    assert advice(tmp_path / "c.fits", catalogue="a.fits").endswith(f": copy it to {folder / 'a.fits'}")
    elsewhere = advice(tmp_path / "c.fits", catalogue=None)
    assert elsewhere.endswith(f": copy it to {folder / 'c.fits'}; {line('c.fits')}")


def test_prepared_catalogues_are_taken_into_the_depot_of_a_stack(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nightshift.catalogue.folder.config_folder", lambda: tmp_path / "config")
    survey, depot = load_survey("demo"), Depot(tmp_path / "depot")
    assert place_catalogues(survey, depot) == []
    made = tmp_path / "config" / "demo" / "catalogues" / "field000101.fits"
    assert prepare(written(stars(), tmp_path / "t.fits"), made) == 0
    assert place_catalogues(survey, depot) == [depot.catalogue("field000101.fits")]
    assert depot.catalogue("field000101.fits").read_bytes() == made.read_bytes()
    assert place_catalogues(survey, depot) == []
    monkeypatch.setenv("NIGHTSHIFT_DEPOT", str(tmp_path / "another"))
    assert main(["catalogue", "place", "--survey", "demo"]) == 0
    assert "1 catalogues are new" in capsys.readouterr().out
    assert Depot(tmp_path / "another").catalogue("field000101.fits").is_file()


def test_every_field_that_the_table_has_stars_of_gets_its_catalogue(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    shutil.copytree(config_folder_as_shipped(), tmp_path / "demo")
    table = written(stars(), tmp_path / "stars.parquet")
    words = ["catalogue", "prepare", str(table), "--survey", "demo", "--all-fields"]
    fields = load_survey("demo").sky.fields
    assert main([*words, "--dry-run"]) == 0
    assert not (tmp_path / "demo" / "catalogues").exists()
    assert main(words) == 0
    made = sorted((tmp_path / "demo" / "catalogues").glob("*"))
    assert str(FIELD.catalogue) in [path.name for path in made]
    said = f"{len(made)} catalogues made; {len(fields) - len(made)} fields have no star in the table"
    assert said in capsys.readouterr().out


def config_folder_as_shipped() -> Path:
    return Path(__file__).parents[3] / "config" / "demo"
