"""A small night of two sites and three cameras at once, through one Airflow, one ledger and one inbox."""

import pytest

from nightshift.ledger import Ledger

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def played(small_night):
    """The night, played and left running: how the command ended, and its machine."""
    return small_night("network", deadline_min=25)


def rows(machine, statement: str) -> list[dict]:
    with Ledger(machine.ledger_url) as ledger, ledger.connection.cursor() as cursor:
        cursor.execute(statement)
        return [dict(row) for row in cursor.fetchall()]


def test_each_site_closes_its_own_night_to_zero(played):
    done, machine = played
    assert done.returncode == 0
    found = rows(machine, "select site, state, signal, begins from nights order by site")
    assert [(row["site"], row["state"], row["signal"]) for row in found] == [
        ("north", "closed", "manifest"),
        ("south", "closed", "manifest"),
    ]
    assert found[0]["begins"] < found[1]["begins"]  # each by its own noon


def test_one_mail_a_site_goes_out(played, mails_of):
    _, machine = played
    mails = mails_of(machine)
    assert len(mails) == 2
    assert sorted(mail["Message-ID"].split(".")[2] for mail in mails) == ["north", "south"]
    assert len({mail["Subject"] for mail in mails}) == 2


def test_every_camera_has_its_masters_units_references_and_alerts(played):
    _, machine = played
    cameras = ["north_single", "north_wide", "south_wide"]
    for table in ("calibrations", "reference_images", "units"):
        found = rows(machine, f"select distinct instrument from {table} order by 1")
        assert [row["instrument"] for row in found] == cameras, table
    units = rows(
        machine, "select instrument, count(*) as n from units where state = 'processed' group by 1 order by 1"
    )
    assert [(row["instrument"], row["n"]) for row in units] == list(zip(cameras, (8, 16, 16), strict=True))
    sent = rows(machine, "select distinct site from alerts where state = 'sent' order by 1")
    assert [row["site"] for row in sent] == ["north", "south"]


def test_each_sites_night_has_its_own_run_of_the_end_of_night(played):
    _, machine = played
    found = rows(machine, "select run_id from runs where dag_id = 'end_of_night' order by 1")
    assert [row["run_id"].split("__")[1] for row in found] == ["north", "south"]
