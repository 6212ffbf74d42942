"""What leaves the depot, and what never does."""

from datetime import date, timedelta

import pytest

from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.housekeeping import clean_up as module
from nightshift.housekeeping.clean_up import clean_up, what_may_leave
from nightshift.ledger import open_ledger
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import products
from nightshift.vocabulary import Reason


def run(context):
    return clean_up(context, operator="mira")


def test_files_leave_when_so_many_observed_nights_came_after_them(context, nights):
    nights(0, 9)
    done = run(context)
    assert nights.here("raw") == [5, 6, 7, 8, 9]
    assert nights.products_here("calibrated") == [7, 8, 9]
    assert nights.products_here("sources") == [2, 3, 4, 5, 6, 7, 8, 9]
    assert nights.products_here("difference") == list(range(10))
    assert done.files == 5 + 7 + 2
    assert not (context.depot.root / "raw" / "2026" / "0101").exists()  # no empty folder stays
    again = run(context)
    assert (again.files, again.goes_on) == (0, False)


def test_each_deletion_is_in_the_ledger_with_its_rule(context, nights):
    nights(0, 5)
    run(context)
    (row,) = nights.sql("select * from deletions where kind = 'raw'")
    assert (row["night"], row["rule"]) == (date(2026, 1, 1), "retention.raw_nights = 5")
    assert row["deleted_at"] is not None and row["bytes"] > 0
    (frame,) = nights.sql("select * from raw_frames where deleted_at is not null")
    assert frame["path"] == row["path"]
    assert len(nights.sql("select 1 from products where deleted_at is not null")) == 3  # calibrated, of nights 0 to 2
    assert len(nights.sql("select 1 from products")) == 18  # what was made is known
    assert nights.sql("select 1 from audit where action = 'clean_up' and operator = 'mira'")


def test_a_dry_run_says_the_same_and_changes_nothing(context, nights):
    nights(0, 9)
    before = nights.here("raw"), nights.sql("select * from products order by 1")
    planned = what_may_leave(context)
    assert (nights.here("raw"), nights.sql("select * from products order by 1")) == before
    done = run(context)
    assert {(line.night, line.rule) for line in planned.lines} == {(line.night, line.rule) for line in done.lines}
    assert (planned.files, planned.bytes) == (done.files, done.bytes)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("update archive_files set verified_at = null", "do not both hold it"),
        ("update copies set verified_at = null", "do not both hold it"),
        ("delete from copies", "do not both hold it"),
        ("update archive_files set sha256 = repeat('0', 64)", ""),  # another file of that name: none is archived
        ("update copy_places set retired_at = now()", "no second copy is made"),
        ("update nights set state = 'unbalanced' where night = '2026-01-01'", "the night is unbalanced"),
        ("update nights set changed = true where night = '2026-01-01'", "new since it was closed"),
        ("update exposures set state = 'arriving', ended_at = null where night = '2026-01-01'", "has not ended"),
    ],
)  # fmt: skip
def test_nothing_leaves_without_two_verified_places_or_of_a_night_that_needs_it(context, nights, damage, why):
    nights(0, 5)
    nights.sql(damage)
    done = run(context)
    assert 0 in nights.here("raw") and 0 in nights.products_here("calibrated")
    assert not why or any(why in text for text in done.why_not)


def test_a_file_that_is_in_the_archive_by_the_ledger_alone_stays(context, nights):
    nights(0, 5)
    for path in (context.depot.root / "archive").rglob("*.fits"):
        path.unlink()
    done = run(context)
    assert done.files == 0 and nights.here("raw") == [0, 1, 2, 3, 4, 5]
    assert done.why_not["its archived file is not there, or has another size"] == 4


def test_without_a_second_copy_nothing_leaves_and_it_is_said_once(context, nights):
    nights(0, 5, copied=False)
    nights.sql("delete from copy_places")
    assert any("no second copy is made" in why for why in what_may_leave(context).why_not)
    run(context)
    run(context)
    assert nights.here("raw") == [0, 1, 2, 3, 4, 5]
    assert len(nights.sql("select 1 from events where kind = 'nothing_copied'")) == 1


def test_what_a_reference_is_made_of_or_may_be_made_of_stays(context, nights):
    nights(0, 0, field=101)
    nights(1, 5)
    (unit,) = [row["unit_key"] for row in nights.sql("select unit_key from units where night = '2026-01-01'")]
    nights.sql(
        "insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, values)"
        " values (%s, '2026-01-01', 'democam', split_part(%s, '/', 2), 1, 1, true, '{}')", unit, unit,
    )  # fmt: skip
    run(context)
    assert nights.products_here("calibrated")[0] == 0  # its quadrant has no reference yet
    nights.sql(
        "insert into reference_images (field, instrument, detector, quadrant, filter, version, reference_key, state,"
        " campaign, product_key, valid_from, frames)"
        " values (101, 'democam', 1, 1, 'g', 1, 'reference/x', 'in_service', 'live', 'reference/x/made',"
        " now(), 6)"
    )
    nights.sql("insert into reference_members values ('reference/x', %s, 1, 1.0)", unit)
    done = run(context)
    assert nights.products_here("calibrated")[0] == 0
    assert "a reference in service is made of it" in done.why_not
    nights.sql("update reference_images set state = 'unset'")
    nights.sql("update exposures set field = null where night = '2026-01-01'")
    run(context)
    assert nights.products_here("calibrated")[0] == 3


def test_nothing_leaves_while_a_reference_is_made(context, nights):
    nights(0, 5)
    nights.sql(
        "insert into jobs (job_key, kind, subject, site, night) values ('r', 'reference', 'r', 'demo', '2026-01-06')"
    )
    nights.sql(
        "insert into submissions (job_key, submission, name, runner, job_file, tasks, night)"
        " values ('r', 1, 'r', 'fake', 'work/x/job_1.json', 1, '2026-01-06')"
    )
    nights.sql(
        "insert into attempts (job_key, unit_key, attempt, submission, night, task_index, token, folder)"
        " values ('r', 'reference/x', 1, 1, '2026-01-06', 0, 't', 'work/x/a1')"
    )
    done = run(context)
    assert done.files == 0 and "a master or a reference is being made" in done.why_not


def test_keep_deletes_nothing(context, nights, monkeypatch):
    nights(0, 9)
    kept = context.survey.model_copy(update={"retention": context.survey.retention.model_copy(update={"keep": True})})
    context = context.with_survey(kept)
    assert run(context).files == 0 and nights.here("raw") == list(range(10))


# --- clocks ---------------------------------------------------------------------------------------------------


def test_a_clock_that_leaps_a_year_deletes_nothing(context, nights, clock):
    nights(0, 9)
    clock.moment += timedelta(days=365)
    for look in (run, what_may_leave):
        with pytest.raises(NeedsOperator) as error:
            look(context)
        assert error.value.reason is Reason.CLOCK_DISAGREES
    assert nights.here("raw") == list(range(10))


def test_a_clock_that_was_set_back_deletes_nothing(context, nights, clock):
    nights(0, 9)
    clock.moment -= timedelta(days=5)
    with pytest.raises(NeedsOperator, match="one of them is wrong"):
        run(context)


def test_a_camera_whose_clock_leapt_makes_no_night_older(context, nights, clock):
    nights(0, 3)
    nights(367, 367)  # one night of next year, and the machine's clock agrees
    run(context)
    assert nights.here("raw") == [0, 1, 2, 3, 367]  # four nights came after the first at most


# --- files that are not what they should be ----------------------------------------------------------------------


def raw_of(context, night="0101"):
    (path,) = (context.depot.root / "raw" / "2026" / night).rglob("*.fits")
    return path


def test_a_file_that_is_gone_already_counts_as_deleted(context, nights):
    nights(0, 5)
    raw_of(context).unlink()
    run(context)
    (row,) = nights.sql("select * from deletions where kind = 'raw'")
    assert row["deleted_at"] is not None


def test_a_link_in_place_of_a_file_or_a_folder_is_never_followed(context, nights, tmp_path):
    nights(0, 6)
    precious = tmp_path / "precious"
    precious.mkdir()
    first, second = raw_of(context, "0101"), raw_of(context, "0102")
    (precious / first.name).write_bytes(first.read_bytes())
    (precious / second.name).write_bytes(second.read_bytes())
    first.unlink()
    first.symlink_to(precious / first.name)
    folder = second.parent
    second.unlink()
    folder.rmdir()
    folder.symlink_to(precious)
    done = run(context)
    assert sorted(path.name for path in precious.iterdir()) == sorted([first.name, second.name])
    assert done.why_not["it is not what the ledger says of it"] == 2
    assert len(nights.sql("select 1 from events where kind = 'deletion_refused'")) == 2
    assert nights.sql("select 1 from raw_frames where deleted_at is not null") == []
    run(context)
    assert len(nights.sql("select 1 from events where kind = 'deletion_refused'")) == 2  # said once


@pytest.mark.parametrize("place", ["../outside.fits", "/etc/hostname", "raw/../../outside.fits", "outside.fits"])
def test_a_path_that_climbs_is_never_removed(context, nights, tmp_path, place):
    nights(0, 5)
    outside = tmp_path / "outside.fits"
    content = raw_of(context).read_bytes()
    outside.write_bytes(content)
    (context.depot.root / "outside.fits").write_bytes(content)
    nights.sql("update raw_frames set path = %s where night = '2026-01-01'", place)
    nights.sql("update archive_files set source = %s where kind = 'raw' and night = '2026-01-01'", place)
    done = run(context)
    assert outside.exists() and (context.depot.root / "outside.fits").exists()
    assert done.why_not["it is not what the ledger says of it"] == 1


def test_a_file_that_has_changed_since_stays_and_is_named(context, nights):
    nights(0, 5)
    raw_of(context).write_bytes(b"something else, shorter")
    run(context)
    (event,) = nights.sql("select * from events where kind = 'deletion_refused'")
    assert event["subject"].startswith("raw/2026/0101") and raw_of(context).exists()


# --- disks, kills and company ----------------------------------------------------------------------------------


def test_a_disk_that_goes_away_on_the_way_ends_it_and_the_next_goes_on(context, nights, monkeypatch):
    nights(0, 9)
    remove, count = module.remove_file, 0

    def fails(*args, **named):
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(5, "Input/output error")
        return remove(*args, **named)

    monkeypatch.setattr(module, "remove_file", fails)
    with pytest.raises(NeedsOperator) as error:
        run(context)
    assert error.value.reason is Reason.STORAGE_UNAVAILABLE
    monkeypatch.setattr(module, "remove_file", remove)
    run(context)
    assert nights.here("raw") == [5, 6, 7, 8, 9] and nights.products_here("calibrated") == [7, 8, 9]
    assert nights.sql("select 1 from deletions where deleted_at is null") == []


def test_a_depot_that_is_not_mounted_is_not_taken_for_an_empty_one(context, nights):
    nights(0, 9)
    run(context)  # from now on the ledger knows the depot by its marker
    nights(10, 12)
    moved = context.depot.root.rename(context.depot.root.with_name("elsewhere"))
    context.depot.root.mkdir()
    with pytest.raises(NeedsOperator, match=r"not there|not the one"):
        run(context)
    assert nights.sql("select 1 from deletions where deleted_at is null") == []
    context.depot.root.rmdir()
    moved.rename(context.depot.root)
    run(context)
    assert nights.here("raw") == [8, 9, 10, 11, 12]


def test_two_at_once_are_one(context, nights, ledger_url):
    nights(0, 9)
    with open_ledger(ledger_url) as other, advisory_lock(other, LockedWork.CLEAN_UP, "demo"), pytest.raises(Busy):
        run(context)
    assert nights.here("raw") == list(range(10))


def test_one_deletes_no_more_than_it_may_and_the_next_goes_on(context, nights):
    few = context.survey.retention.model_copy(update={"files_at_once": 4})
    context = context.with_survey(context.survey.model_copy(update={"retention": few}))
    nights(0, 9)
    done = run(context)
    assert (done.files, done.goes_on) == (4, True)
    for _ in range(3):
        done = run(context)
    assert nights.here("raw") == [5, 6, 7, 8, 9] and not done.goes_on


def test_a_product_that_is_made_again_is_here_again_and_may_leave_again(context: Context, nights):
    nights(0, 5)
    run(context)
    (row,) = nights.sql("select * from products where kind = 'calibrated' and night = '2026-01-01'")
    kept = (
        "product_key", "kind", "unit_key", "campaign", "site", "night", "path", "sha256", "bytes", "code_version",
        "settings_hash", "job_key", "attempt",
    )  # fmt: skip
    products.put_product(context.ledger, **{key: row[key] for key in kept})
    (again,) = nights.sql("select * from products where product_key = %s", row["product_key"])
    assert again["deleted_at"] is None
