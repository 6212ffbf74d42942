"""A small demonstration night through real Airflow, PostgreSQL, a broker and a mail server."""

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from contextlib import suppress
from datetime import date
from pathlib import Path

import bagit
import psutil
import pytest
from astropy.io import fits
from kills import TREE, Kill, Night, work_done

from nightshift.fingerprint import compare, take_fingerprint
from nightshift.ledger import Ledger
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries import stack as stack_queries
from nightshift.realbogus import REAL_BOGUS
from nightshift.stack.machine import Machine
from nightshift.stack.offline_ledger import ledger_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]

ENDED = {"success", "failed"}


@pytest.fixture(scope="module")
def stack(small_night):
    """A small night that was played and is left running."""
    return small_night("demo", deadline_min=20)


@pytest.fixture
def machine(stack) -> Machine:
    return stack[1]


def working_in(folder: Path) -> list[psutil.Process]:
    """Processes that have their working folder in one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def check_fits_products(depot: Path) -> dict[str, int]:
    """Have fitsverify look at each FITS product of a depot; return how many there are of each kind."""
    folders = ("calibrations", "processed", "references")
    files = sorted(str(path) for folder in folders for path in (depot / folder).rglob("*.fits"))
    done = subprocess.run(["fitsverify", "-q", *files], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("verification OK")] == [] and len(lines) == len(files)
    for file in files:
        with fits.open(file, memmap=True, disable_image_compression=True) as units:
            assert all({"CHECKSUM", "DATASUM"} <= {*unit.header} for unit in units), file
    return Counter(Path(file).stem for file in files)


def outcome(machine: Machine) -> dict:
    return json.loads((machine.home.root / "outcome.json").read_text())


def counts(machine: Machine) -> dict[str, int]:
    """How much of everything the ledger has."""
    tables = ("arrivals", "raw_frames", "units", "attempts", "products", "calibrations", "reference_images",
              "differences", "candidates", "alerts", "outbox", "tracklets", "archive_files", "reports")  # fmt: skip
    with Ledger(machine.ledger_url) as ledger, ledger.connection.cursor() as cursor:
        found = {}
        for table in tables:
            cursor.execute(f"select count(*) as n from {table}")
            found[table] = cursor.fetchone()["n"]
        return found


def test_the_night_closes_to_zero(stack):
    done, machine = stack
    assert done.returncode == 0
    assert outcome(machine)["state"] == "closed"


def test_every_frame_that_was_sent_is_registered(machine):
    found = counts(machine)
    files = list((machine.home.night / "raw").glob("*"))
    assert found["raw_frames"] == len(files) > 0
    assert [p for p in machine.home.inbox.iterdir() if not p.name.startswith(".")] == []


def test_the_consumer_has_every_alert_that_the_broker_acknowledged(machine):
    received = (machine.home.received / "alerts.jsonl").read_text().splitlines()
    with Ledger(machine.ledger_url) as ledger:
        glance = stack_queries.glance(ledger, site="demo", night=date.fromisoformat(outcome(machine)["night"]))
    assert len(received) == glance.acknowledged == glance.released > 0


def test_every_alert_at_the_consumer_names_the_real_bogus_model_that_is_in_use(machine):
    lines = map(json.loads, (machine.home.received / "alerts.jsonl").read_text().splitlines())
    with Ledger(machine.ledger_url) as ledger, ledger.connection.cursor() as cursor:
        cursor.execute("select instrument, version from real_bogus_models")
        noted = {(row["instrument"], row["version"]) for row in cursor.fetchall()}
        cursor.execute(
            "select distinct unpack_record(layout, numbers, singles, texts) ->> 'rbversion' as version"
            " from candidates"
        )
        judged = {row["version"] for row in cursor.fetchall()}
    in_use = json.loads(REAL_BOGUS.read_text())["version"]
    assert {line["rbversion"] for line in lines} == judged == {in_use}
    assert noted == {("democam", in_use)}


def test_most_transients_arrive_and_false_alerts_are_the_fewer(machine):
    score = outcome(machine)["score"]
    assert score["transients_recovered"] >= 0.9 * score["transient_appearances"]
    assert score["false_alerts"] <= score["true_alerts"]


def test_fitsverify_finds_no_error_in_any_product_of_the_night(machine):
    if shutil.which("fitsverify") is None:
        lack = "fitsverify is not installed (Debian: apt install fitsverify)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lack)
    found = check_fits_products(machine.home.depot)
    assert found["calibrated"] > 0 and found["difference"] > 0 and found["reference"] > 0 and found["flat"] > 0


def test_the_archive_of_the_night_is_a_bag_that_bagit_finds_valid(machine):
    (bag,) = (machine.home.depot / "archive").glob("*/*/demo_*_v1")
    bagit.Bag(str(bag)).validate()
    with Ledger(machine.ledger_url) as ledger:
        (known,) = archive_queries.bags(ledger, site="demo", night=date.fromisoformat(outcome(machine)["night"]))
    assert known.name == bag.name and known.sealed_at is not None


def test_the_morning_mail_has_text_tables_and_pictures(machine, mails_of):
    (mail,) = mails_of(machine)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert "text/plain" in kinds
    assert kinds.count("image/png") >= 2
    assert "<table" in mail.get_body(("html",)).get_content()


def test_every_run_of_airflow_succeeded(machine):
    with machine.airflow_client() as client:
        assert client.get("/api/v2/importErrors").json()["import_errors"] == []
        runs = client.get("/api/v2/dags/~/dagRuns", params={"limit": 100, "order_by": "-start_date"}).json()[
            "dag_runs"
        ]
    assert runs
    assert [run["dag_run_id"] for run in runs if run["state"] == "failed"] == []


@pytest.mark.parametrize(
    "dag_id", ["calibrations", "references", "exposure", "difference", "moving_objects", "end_of_night"]
)
def test_a_second_run_of_any_workflow_changes_nothing(machine, dag_id):
    before = counts(machine)
    with machine.airflow_client() as client:
        runs = client.get(f"/api/v2/dags/{dag_id}/dagRuns", params={"limit": 1}).json()["dag_runs"]
        if not runs:
            pytest.skip(f"{dag_id} had no run of its own in this night")
        body = {"dag_run_id": f"again__{dag_id}", "logical_date": None, "conf": runs[0]["conf"]}
        client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body).raise_for_status()
        deadline = time.monotonic() + 180
        while (state := client.get(f"/api/v2/dags/{dag_id}/dagRuns/again__{dag_id}").json()["state"]) not in ENDED:
            assert time.monotonic() < deadline, f"again__{dag_id} is {state}"
            time.sleep(1)
    assert state == "success"
    assert counts(machine) == before


def test_status_says_that_everything_runs(machine, nightshift):
    done = nightshift("status", "--survey", "demo")
    assert done.returncode == 0
    assert "closed" in done.stdout


def test_a_second_night_beside_a_running_one_is_refused(machine, nightshift):
    done = nightshift("night-run", "--survey", "demo", "--small")
    assert done.returncode == 2
    assert "runs already" in done.stderr
    assert counts(machine)["raw_frames"] > 0


def test_down_leaves_no_process_behind(machine, nightshift):
    processes = machine.supervisor.processes()
    assert len(processes) > 9
    done = nightshift("down", "--survey", "demo")
    assert done.returncode == 0
    assert [process for process in processes if process.is_running()] == []
    assert machine.supervisor.left() == []


def test_a_night_that_is_killed_and_asked_for_again_ends_the_same(stack, machine):
    with ledger_of(machine.home) as url, Ledger(url) as ledger:
        undisturbed = take_fingerprint(ledger, machine.home.depot, machine.home.received / "alerts.jsonl")
    kills = [Kill("scheduler", 0.2), Kill(TREE, 0.5), Kill("worker", 0.7)]
    killed = Night(machine.home.root.parent / "killed").play(kills, work=work_done(stack[0].stdout))
    print("\n".join(killed.kills), killed.log.read_text())
    assert killed.code == 0
    assert len(killed.kills) >= 2  # the night may have ended before the last
    assert "it goes on where it was" in killed.log.read_text()
    assert working_in(machine.home.root.parent / "killed") == []
    assert "\n".join(map(str, compare(undisturbed, killed.fingerprint))) == ""
    assert len(killed.candids) == len(set(killed.candids)) > 0
