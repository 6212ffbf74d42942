"""The fingerprint of a night: equal for what is equal, and it says where two differ."""

import dataclasses

import numpy as np
import pytest
from astropy.io import fits

from nightshift.command_line import main
from nightshift.fingerprint import Fingerprint, compare, take_fingerprint
from nightshift.fingerprint.file_fingerprints import file_parts
from nightshift.fingerprint.row_fingerprints import LEFT_OUT, TABLES, rows_of
from nightshift.ingest.ingest import ingest_all

pytestmark = pytest.mark.integration


def fingerprint(context):
    return take_fingerprint(context.ledger, context.depot.root)


def take_in(context, *paths):
    ingest_all(context, paths)


def execute(context, text):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(text)


def test_every_table_of_the_ledger_is_compared_or_left_out_for_a_reason(context):
    tables = {row["table_name"] for row in context.ledger.rows("fingerprint", "tables")}
    assert tables == {*TABLES, *LEFT_OUT}
    assert not set(TABLES) & set(LEFT_OUT) and all(LEFT_OUT.values())


def test_times_and_names_of_attempts_do_not_count(context, frames):
    take_in(context, frames(1))
    before = fingerprint(context)
    execute(context, "update arrivals set arrived_at = now() - interval '1 hour'")
    execute(context, "update exposures set first_arrival_at = now() - interval '1 hour', run_id = 'another'")
    assert fingerprint(context).whole == before.whole


def test_a_row_that_differs_is_named_with_its_columns(context, frames):
    take_in(context, frames(1))
    before = fingerprint(context)
    execute(context, "update exposures set airmass = 1.9")
    (found,) = compare(before, fingerprint(context))
    assert (found.name, found.text) == ("table exposures", "airmass differ")
    assert frames.exposure_id(1) in found.key


def test_a_row_and_a_file_that_only_one_has_are_named(context, frames):
    take_in(context, frames(1))
    before = fingerprint(context)
    take_in(context, frames(1, 2))
    found = {(d.name, d.text) for d in compare(before, fingerprint(context))}
    assert ("table raw_frames", "only in the second") in found
    assert ("files raw", "only in the second") in found
    assert {text for _, text in found} == {"only in the second"}


def test_a_file_whose_content_changed_is_named(context, frames):
    take_in(context, frames(1))
    before = fingerprint(context)
    (path,) = (context.depot.root / "raw").rglob("*.fits")
    with fits.open(path, mode="update") as units:
        units[2].data[5, 5] += 1
    (found,) = compare(before, fingerprint(context))
    assert found.name == "files raw" and found.text == "data 2 differ"


def test_the_date_of_writing_is_no_part_of_a_fits_file(tmp_path):
    def written(name, **cards):
        unit = fits.PrimaryHDU(np.arange(12.0).reshape(3, 4))
        unit.header.update(cards)
        unit.writeto(tmp_path / name, checksum=True)
        return file_parts(tmp_path / name)

    assert written("a.fits", DATE="2026-01-01") == written("b.fits", DATE="2026-01-02")
    assert written("c.fits", GAIN=2.0) != written("d.fits", GAIN=2.1)


def test_what_does_not_read_as_fits_is_compared_by_its_bytes(tmp_path):
    (tmp_path / "a.fits").write_bytes(b"one")
    (tmp_path / "b.fits").write_bytes(b"two")
    assert file_parts(tmp_path / "a.fits") != file_parts(tmp_path / "b.fits")


def test_rows_of_the_same_key_are_all_kept():
    assert list(rows_of([("a", {"x": 1}), ("a", {"x": 2}), ("b", {})])) == ["a", "a (2)", "b"]


def test_the_command_compares_two_files(context, frames, tmp_path, capsys):
    take_in(context, frames(1))
    one = fingerprint(context)
    one.write(tmp_path / "one.json")
    assert Fingerprint.read(tmp_path / "one.json").whole == one.whole
    other = dataclasses.replace(one, classes={**one.classes, "table units": {}})
    other.write(tmp_path / "other.json")
    names = [str(tmp_path / "one.json"), str(tmp_path / "one.json"), str(tmp_path / "other.json")]
    assert main(["fingerprint", "--compare", *names[:2]]) == 0
    assert main(["fingerprint", "--compare", *names[1:]]) == 1
    printed = capsys.readouterr().out
    assert f"equal: {one.whole}" in printed and "table units: " in printed and "only in the first" in printed
    (tmp_path / "no.json").write_text("[]")
    assert main(["fingerprint", "--compare", names[0], str(tmp_path / "no.json")]) == 2
