"""Each check says green only where it saw that all is well; without an answer it says unknown or worse."""

import json
import os
import smtplib
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from nightshift.alerts.address import Broker
from nightshift.errors import Retry
from nightshift.ledger.queries.preflight import PostgresServer
from nightshift.masters_ages import MasterAge, MasterFreshness
from nightshift.night_plan.make_plan import ReferencePlan
from nightshift.preflight.check import checks, green, red, unknown, worst, yellow
from nightshift.preflight.checks import (
    airflow_workflows,
    broker,
    calibrator_catalogues,
    disks,
    environment_secrets,
    job_runner,
    ledger_backup,
    ledger_server,
    machine_clock,
    mail_relay,
    planned_references,
    serving_masters,
    settings_files,
)
from nightshift.runners.slurm.partitions import read_partitions
from nightshift.settings import SettingsError, load_survey
from nightshift.vocabulary import CalibrationKind, CheckState, Reason

GREEN, YELLOW, RED, UNKNOWN = CheckState.GREEN, CheckState.YELLOW, CheckState.RED, CheckState.UNKNOWN


def test_every_check_has_a_name_a_title_and_is_found_by_itself():
    names = [each.name for each in checks()]
    assert len(set(names)) == len(names) == 15
    assert all(each.title for each in checks())


def test_several_findings_are_as_bad_as_the_worst_and_none_is_no_finding():
    assert worst([green("a"), yellow("b", "do b")]).state is YELLOW
    assert worst([unknown("u", ""), yellow("b", "do b"), green("a")]).state is UNKNOWN
    assert worst([unknown("u", ""), red("r", "do r"), red("s", "do s")]).sentence == "r; s"
    with pytest.raises(ValueError, match="without a finding"):
        worst([])


# --- disks --------------------------------------------------------------------------------------------------


def free_room(monkeypatch, free_bytes):
    real = os.statvfs

    def stub(path):
        found = real(path)
        return SimpleNamespace(f_bavail=free_bytes, f_frsize=1, f_flag=found.f_flag)

    monkeypatch.setattr(os, "statvfs", stub)


@pytest.mark.parametrize(
    ("free_mb", "state"), [(505, RED), (507, YELLOW), (509, GREEN)]  # 5 MB are taken, and 500 must stay
)  # fmt: skip
def test_disks_are_compared_with_what_the_night_takes(afternoon, plan_of, monkeypatch, free_mb, state):
    free_room(monkeypatch, free_mb * 1_000_000 - 1)
    found = disks.check_disks(afternoon(plan_of()))
    assert found.state is state
    assert "the night takes 5.0 MB" in found.sentence
    assert found.unit == "GB free"


def test_without_a_plan_the_room_is_unknown_and_without_a_folder_red(afternoon):
    assert disks.check_disks(afternoon()).state is UNKNOWN
    given = afternoon()
    given.context.inbox.rmdir()
    found = disks.check_disks(given)
    assert found.state is RED
    assert "not there" in found.sentence


# --- ledger -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connections", "read_only", "state"), [(10, False, GREEN), (90, False, YELLOW), (10, True, RED)]
)
def test_the_ledger_is_green_where_it_takes_writes_and_has_connections(
    afternoon, monkeypatch, connections, read_only, state
):
    server = PostgresServer(5_000_000, 100, connections, read_only, 0, datetime.now(UTC))
    monkeypatch.setattr(ledger_server.preflight_queries, "server", lambda ledger: server)
    monkeypatch.setattr(ledger_server.ledger_queries, "revision", lambda ledger: "0022")
    found = ledger_server.check_ledger(afternoon())
    assert found.state is state
    assert "no replica copies it" in found.sentence


def test_a_ledger_that_says_nothing_is_unknown(afternoon, monkeypatch):
    monkeypatch.setattr(ledger_server.preflight_queries, "server", lambda ledger: None)
    monkeypatch.setattr(ledger_server.ledger_queries, "revision", lambda ledger: None)
    assert ledger_server.check_ledger(afternoon()).state is UNKNOWN


# --- broker -------------------------------------------------------------------------------------------------


def kafka(monkeypatch, *, topics=(), refuses=None, away=False):
    from confluent_kafka import KafkaException, admin

    class Client:
        def __init__(self, settings):
            pass

        def list_topics(self, timeout):
            if away:
                raise KafkaException("no answer")
            return SimpleNamespace(brokers={1: None}, topics=dict.fromkeys(topics))

        def create_topics(self, new, *, validate_only, request_timeout):
            assert validate_only

            def result(timeout):
                if refuses:
                    raise KafkaException(refuses)

            return {topic.topic: SimpleNamespace(result=result) for topic in new}

    monkeypatch.setattr(admin, "AdminClient", Client)
    monkeypatch.setattr(broker, "broker_from_environment", lambda: Broker("kafka:9092"))


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({}, GREEN), ({"topics": ["demo_20260115_programid1"], "refuses": "no"}, GREEN), ({"refuses": "no"}, YELLOW),
        ({"away": True}, RED),
    ],
)  # fmt: skip
def test_the_broker_answers_and_takes_the_nights_topic(afternoon, monkeypatch, answers, state):
    kafka(monkeypatch, **answers)
    assert broker.check_broker(afternoon()).state is state


def test_a_broker_without_an_address_is_red(afternoon, monkeypatch):
    monkeypatch.delenv("NIGHTSHIFT_BROKERS", raising=False)
    assert broker.check_broker(afternoon()).state is RED


# --- pool and cluster ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alive", "state"), [(True, GREEN), (False, RED)])
def test_the_pool_lives_or_not(afternoon, monkeypatch, tmp_path, alive, state):
    monkeypatch.delenv("NIGHTSHIFT_RUNNER", raising=False)
    monkeypatch.setenv("NIGHTSHIFT_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setattr(job_runner.Spool, "pool_is_alive", lambda spool: alive)
    monkeypatch.setattr(job_runner.Spool, "folder_names", lambda spool: set())
    assert job_runner.check_runner(afternoon()).state is state


def test_a_cluster_that_does_not_answer_is_unknown(afternoon, monkeypatch):
    from nightshift.runners.slurm.cli import CliTransport

    def away(transport):
        raise Retry(Reason.WORKER_LOST, "sinfo: no answer")

    monkeypatch.setenv("NIGHTSHIFT_RUNNER", "slurm")
    monkeypatch.setattr(CliTransport, "partitions", away)
    found = job_runner.check_runner(afternoon())
    assert (found.state, "sinfo: no answer" in found.sentence) == (UNKNOWN, True)


@pytest.mark.parametrize(
    ("printed", "state"),
    [
        ("night*|up|idle|3\nnight*|up|mixed|1\nbacklog|up|idle|1\n", GREEN),
        ("night*|up|idle|3\nnight*|up|down*|1\nbacklog|up|allocated|1\n", GREEN),  # nobody names `night`
        ("backlog*|up|idle|1\nbacklog*|up|drained|1\n", YELLOW),
        ("backlog*|up|idle*|2\n", RED),
        ("backlog*|down|idle|2\n", RED),
        ("night*|up|idle|3\n", RED),
    ],
)
def test_the_partitions_of_the_profiles_must_have_nodes(printed, state):
    # the demo's profiles name the partition `backlog`
    assert job_runner.judge_partitions(read_partitions(printed), (load_survey("demo"),)).state is state


# --- mail ---------------------------------------------------------------------------------------------------


class Relay:
    """A relay that never is given a mail."""

    answer = (250, b"ok")

    def __init__(self, host, port, timeout):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def login(self, user, password):
        if password != "right":
            raise smtplib.SMTPAuthenticationError(535, b"no")

    def noop(self):
        return self.answer


@pytest.mark.parametrize(
    ("password", "answer", "state"),
    [("right", (250, b"ok"), GREEN), ("wrong", None, RED), ("right", (421, b"no"), RED)],
)
def test_the_relay_takes_the_login_and_answers(afternoon, monkeypatch, password, answer, state):
    monkeypatch.setattr(smtplib, "SMTP", Relay)
    monkeypatch.setattr(Relay, "answer", answer)
    monkeypatch.setenv("NIGHTSHIFT_SMTP", "localhost:25")
    monkeypatch.setenv("NIGHTSHIFT_SMTP_USER", "nightshift")
    monkeypatch.setenv("NIGHTSHIFT_SMTP_PASSWORD", password)
    found = mail_relay.check_mail_relay(afternoon())
    assert found.state is state
    assert password not in found.sentence


def test_no_relay_is_yellow_and_one_that_is_away_red(afternoon, monkeypatch):
    monkeypatch.delenv("NIGHTSHIFT_SMTP", raising=False)
    assert mail_relay.check_mail_relay(afternoon()).state is YELLOW
    monkeypatch.setenv("NIGHTSHIFT_SMTP", "127.0.0.1:9")
    assert mail_relay.check_mail_relay(afternoon()).state is RED
    monkeypatch.setenv("NIGHTSHIFT_SMTP", "host:port")
    assert mail_relay.check_mail_relay(afternoon()).state is RED


# --- clock --------------------------------------------------------------------------------------------------


@pytest.fixture
def no_time_service(monkeypatch):
    monkeypatch.setattr(machine_clock, "_printed", lambda *command: None)


@pytest.mark.parametrize(("away_s", "state"), [(0, GREEN), (1, YELLOW), (-5, RED)])
@pytest.mark.usefixtures("no_time_service")
def test_the_clock_is_compared_with_the_databases(afternoon, monkeypatch, away_s, state):
    def server(ledger):
        return SimpleNamespace(at=datetime.now(UTC) + timedelta(seconds=away_s))

    monkeypatch.setattr(machine_clock.preflight_queries, "server", server)
    found = machine_clock.check_clock(afternoon())
    assert found.state is state
    if state is GREEN:
        assert machine_clock.NO_TIME_SERVER in found.sentence
    assert list(afternoon().context.depot.root.iterdir()) == []


@pytest.mark.parametrize(("synchronised", "state"), [("yes\n", GREEN), ("no\n", YELLOW)])
def test_systemd_is_asked_where_chrony_is_not(afternoon, monkeypatch, synchronised, state):
    monkeypatch.setattr(machine_clock, "_database_offset_s", lambda given: 0.0)
    printed = {"chronyc": None, "timedatectl": synchronised}
    monkeypatch.setattr(machine_clock, "_printed", lambda program, *_: printed[program])
    assert machine_clock.check_clock(afternoon()).state is state


@pytest.mark.usefixtures("no_time_service")
def test_a_database_that_gives_no_time_is_unknown(afternoon, monkeypatch):
    monkeypatch.setattr(machine_clock.preflight_queries, "server", lambda ledger: None)
    assert machine_clock.check_clock(afternoon()).state is UNKNOWN


def test_what_chrony_prints_is_read():
    text = "Reference ID    : A9FEA97B\nSystem time     : 0.000452 seconds {} of NTP time\nLeap status : Normal\n"
    assert machine_clock.chrony_offset_s(text.format("slow")) == -0.000452
    assert machine_clock.chrony_offset_s(text.format("fast")) == 0.000452
    assert machine_clock.chrony_offset_s(text.format("fast").replace("Normal", "Not synchronised")) is None
    assert machine_clock.chrony_offset_s("506 Cannot talk to daemon") is None


# --- catalogues, ephemeris, masters, references -------------------------------------------------------------


def reference(field=101, *, has=4, what=""):
    return ReferencePlan(field, "Leo edge", "g", 8, has, 4, what)


def test_fields_without_a_catalogue_are_named_and_old_ones_are_yellow(afternoon, plan_of):
    given = afternoon(plan_of(references=[reference()]), catalogue_days=30)
    found = calibrator_catalogues.check_catalogues(given)
    assert (found.state, "101" in found.sentence) == (YELLOW, True)
    file = given.context.depot.catalogue("field000101.fits")
    file.parent.mkdir()
    file.touch()
    assert calibrator_catalogues.check_catalogues(given).state is GREEN
    os.utime(file, (0, time.time() - 40 * 86400))
    found = calibrator_catalogues.check_catalogues(given)
    assert (found.state, found.number) == (YELLOW, 40.0)


def test_the_ephemeris_counts_only_where_one_is_named(afternoon):
    assert calibrator_catalogues.check_ephemeris(afternoon()).state is GREEN


@pytest.mark.parametrize(("days", "state"), [(None, RED), (1, GREEN), (20, YELLOW)])
def test_an_ephemeris_that_is_named_must_be_there_and_young(afternoon, tmp_path, days, state):
    file = tmp_path / "de.bsp"
    if days is not None:
        file.touch()
        os.utime(file, (0, time.time() - days * 86400))
    assert calibrator_catalogues.check_ephemeris(afternoon(ephemeris=str(file))).state is state


def master(freshness, days, newest=date(2026, 1, 10), serving=4):
    return MasterAge(CalibrationKind.FLAT, "g", newest, newest, 4, serving, days, freshness)


@pytest.mark.parametrize(
    ("ages", "state"),
    [
        ([master(MasterFreshness.FRESH, 2)], GREEN),
        ([master(MasterFreshness.FRESH, 2), master(MasterFreshness.AGING, 9)], YELLOW),
        ([master(MasterFreshness.AGING, 9), master(MasterFreshness.OLD, 20)], RED),
        ([master(MasterFreshness.FRESH, 2), master(MasterFreshness.MISSING, None, None, 0)], RED),
        ([master(MasterFreshness.MISSING, None, None, 0)], YELLOW),  # the first night of a survey
        ([], GREEN),
    ],
)
def test_masters_are_judged_by_their_age(afternoon, plan_of, ages, state):
    assert serving_masters.check_masters(afternoon(plan_of(masters=ages))).state is state


def test_fields_without_references_are_yellow_and_those_that_get_none_are_counted(afternoon, plan_of):
    check = planned_references.check_references
    assert check(afternoon(plan_of(references=[reference()]))).state is GREEN
    found = check(afternoon(plan_of(references=[reference(), reference(102, has=0, what="none tonight: 2 of 6")])))
    assert (found.state, found.number) == (YELLOW, 1)
    assert "1 get none tonight" in found.sentence


@pytest.mark.parametrize(
    "check",
    [serving_masters.check_masters, planned_references.check_references, calibrator_catalogues.check_catalogues],
)
def test_without_a_plan_what_hangs_on_it_is_unknown(afternoon, check):
    assert check(afternoon()).state is UNKNOWN


# --- secrets, settings, backup ------------------------------------------------------------------------------


def test_a_secret_that_is_not_set_is_red_and_none_is_shown(afternoon, monkeypatch):
    monkeypatch.delenv("NIGHTSHIFT_SMTP_USER", raising=False)
    assert environment_secrets.check_secrets(afternoon()).state is GREEN
    given = afternoon(needs_variables=("SITE_TOKEN",))
    assert environment_secrets.check_secrets(given).state is RED
    monkeypatch.setenv("SITE_TOKEN", "open sesame")
    found = environment_secrets.check_secrets(given)
    assert (found.state, "sesame" in found.sentence) == (GREEN, False)
    monkeypatch.setenv("NIGHTSHIFT_SMTP_USER", "nightshift")
    monkeypatch.delenv("NIGHTSHIFT_SMTP_PASSWORD", raising=False)
    assert environment_secrets.check_secrets(given).state is RED


@pytest.mark.parametrize(("hours", "state"), [(None, YELLOW), (3, GREEN), (40, YELLOW), (100, RED)])
def test_a_backup_is_judged_by_its_age(afternoon, hours, state):
    assert ledger_backup.judge_backup(afternoon(), hours).state is state


def test_changed_settings_are_yellow_and_those_that_do_not_load_red(afternoon, monkeypatch):
    changes = []
    monkeypatch.setattr(settings_files, "changes_since_opening", lambda *_: changes)
    assert settings_files.check_settings(afternoon()).state is GREEN
    changes.append("policy.toml changed")
    assert settings_files.check_settings(afternoon()).state is YELLOW

    def broken(name):
        raise SettingsError("policy.toml: a mistake")

    monkeypatch.setattr(settings_files, "load_deployment", broken)
    assert settings_files.check_settings(afternoon()).state is RED
    assert settings_files.check_calendar(afternoon()).state is RED


def test_a_calendar_that_reads_is_green(afternoon):
    assert settings_files.check_calendar(afternoon()).state is GREEN


# --- Airflow ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dags", "errors", "state"),
    [
        ({"exposure": False, "ingest": False}, [], GREEN),
        ({"exposure": True, "ingest": False}, [], RED),
        ({"exposure": False}, [], RED),
        ({"exposure": False, "ingest": False}, ["broken.py"], RED),
    ],
)
def test_every_workflow_is_read_and_not_paused(dags, errors, state):
    assert airflow_workflows.judge_workflows({"exposure", "ingest"}, dags, errors).state is state


def test_airflow_is_asked_as_the_connection_says():
    def answer(request):
        if request.url.path == "/auth/token":
            assert json.loads(request.content) == {"username": "night", "password": "p@ss"}
            return httpx.Response(200, json={"access_token": "t"})
        assert request.headers["Authorization"] == "Bearer t"
        if request.url.path == "/api/v2/dags":
            return httpx.Response(200, json={"dags": [{"dag_id": "exposure", "is_paused": True}]})
        return httpx.Response(200, json={"import_errors": [{"filename": "x.py"}]})

    connection = airflow_workflows.read_connection("http://night:p%40ss@127.0.0.1:8080")
    found = airflow_workflows.ask_airflow(connection, httpx.MockTransport(answer))
    assert found == ({"exposure": True}, ["x.py"])


@pytest.mark.parametrize(
    ("connection", "state"), [("", UNKNOWN), ("http://a:b@127.0.0.1:9", RED), ('{"host": 1', RED)]
)
def test_an_airflow_that_is_not_known_is_unknown_and_one_that_is_away_red(afternoon, monkeypatch, connection, state):
    monkeypatch.setenv("AIRFLOW_CONN_NIGHTSHIFT_API", connection)
    assert airflow_workflows.check_airflow(afternoon()).state is state


def test_the_workflows_that_are_wanted_are_those_that_ship():
    names = {file.stem for file in airflow_workflows.DAGS.glob("*.py")}
    assert {"exposure", "end_of_night", "preflight"} <= names
    assert Path(airflow_workflows.DAGS).name == "dags"
