"""What the supervisor is told."""

import configparser
import os
import shlex
import subprocess
import sys

import pytest

from nightshift.settings import SettingsError, load_deployment
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import Machine, Outside
from nightshift.stack.ports import Ports
from nightshift.stack.service_names import TOKEN
from nightshift.stack.supervisor import Part, configuration


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    home.postgres.mkdir()
    (home.postgres / "password").write_text("p%ss\n")
    return home


def read(text):
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


def machine_of(home, **outside):
    return Machine(load_deployment("demo"), home, Ports(), Outside(**outside))


def test_every_part_ends_with_its_whole_process_group(home):
    parser = read(configuration(home, machine_of(home).parts()))
    programs = [section for section in parser.sections() if section.startswith("program:")]
    assert len(programs) == 10
    for section in programs:
        assert parser[section]["killasgroup"] == "true"
        assert parser[section]["autorestart"] == "true"
        if section != "program:postgres":  # its backends would take the signal for a cancelled query
            assert parser[section]["stopasgroup"] == "true"


def test_the_database_starts_first_and_stops_last(home):
    parts = machine_of(home).parts()
    assert parts[0].name == "postgres"
    assert [part.priority for part in parts] == sorted({part.priority for part in parts})


def test_services_that_are_there_already_are_not_started(home):
    machine = machine_of(home, brokers="kafka:9092", smtp="mail:25", ledger="postgresql://u@db/nightshift")
    names = {part.name for part in machine.parts()}
    assert "broker" not in names
    assert "mail" not in names
    assert "postgres" in names  # of Airflow's own metadata
    environment = machine.environment()
    assert environment["NIGHTSHIFT_BROKERS"] == "kafka:9092"
    assert environment["NIGHTSHIFT_SMTP"] == "mail:25"
    assert environment["NIGHTSHIFT_LEDGER"] == "postgresql://u@db/nightshift"


def test_the_configuration_holds_no_secret(home):
    machine = machine_of(home)
    text = configuration(home, machine.parts())
    environment = machine.environment()
    secrets = [home.secret("airflow"), environment["AIRFLOW__API_AUTH__JWT_SECRET"],
               environment["AIRFLOW__CORE__FERNET_KEY"], "p%ss", "p%%ss"]  # fmt: skip
    assert not [secret for secret in secrets if secret in text]


def test_the_database_gets_none_of_the_secrets(home):
    postgres = next(part for part in machine_of(home).parts() if part.name == "postgres")
    assert postgres.command[:2] == ("/usr/bin/env", "-i")


def test_percent_signs_and_spaces_survive(home):
    part = Part("odd", ("/bin/echo", "50% of", "a b"), 1, environment={"SHARE": "5%"}, alone=False)
    parser = read(configuration(home, [part]))
    expanded = parser["program:odd"]["command"] % {}
    assert shlex.split(expanded) == ["/bin/echo", "50% of", "a b"]
    assert parser["program:odd"]["environment"] % {} == 'NIGHTSHIFT_PART="odd",SHARE="5%"'


def test_settings_of_another_airflow_do_not_leak_in(home, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    environment = machine_of(home).environment()
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["AIRFLOW_HOME"] == str(home.airflow)


def test_the_runner_brings_its_own_part(home):
    names = {runner: {part.name for part in machine_of(home, runner=runner).parts()} for runner in ("local", "slurm")}
    assert names["local"] - names["slurm"] == {"pool"}
    assert names["slurm"] - names["local"] == {"cluster"}


def test_a_cluster_that_is_there_is_used_as_it_is(home, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_RUNNER", "slurm")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/slurm.conf")
    assert Outside.from_environment() == Outside(runner="slurm", slurm="/etc/slurm/slurm.conf")
    machine = machine_of(home, runner="slurm", slurm="/etc/slurm/slurm.conf")
    assert not {"pool", "cluster"} & {part.name for part in machine.parts()}
    assert machine.environment()["SLURM_CONF"] == "/etc/slurm/slurm.conf"


def test_a_kafka_of_this_machine_takes_the_place_of_the_embedded_broker(home):
    with_kafka = machine_of(home, brokers="kafka")
    (broker,) = [part for part in with_kafka.parts() if part.name == "broker"]
    assert "rehearsal.stand_ins.single_node_kafka" in broker.command
    assert str(home.kafka) in broker.command
    assert with_kafka.environment()["NIGHTSHIFT_BROKERS"] == f"file:{home.broker_address}"


def test_a_night_on_kafka_without_its_files_says_how_to_get_them(home, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_KAFKA_JARS", str(home.root / "nowhere"))
    with pytest.raises(SettingsError, match=r"make kafka|apt install openjdk"):
        machine_of(home, brokers="kafka").check_can_start()


def test_a_runner_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_RUNNER", "slrum")
    with pytest.raises(SettingsError, match="local or slurm"):
        Outside.from_environment()


def test_a_night_on_slurm_without_its_packages_says_what_to_install(home, monkeypatch):
    monkeypatch.setattr("rehearsal.cluster.cluster.missing_programs", lambda: ("slurmctld",))
    with pytest.raises(SettingsError, match="apt install slurmctld"):
        machine_of(home, runner="slurm").check_can_start()


@pytest.mark.parametrize(("part", "sees"), [
    ("scheduler", "login nothing"), ("messages", "login chat"), ("pool", "nothing nothing"),
    ("api-server", "nothing nothing"),
])  # fmt: skip
def test_a_part_sees_the_mail_accounts_login_and_the_channels_addresses_only_if_it_needs_them(tmp_path, part, sees):
    environment = {
        **os.environ, TOKEN: str(tmp_path), "NIGHTSHIFT_SMTP_PASSWORD": "login", "CHAT_URL": "chat",
        "NIGHTSHIFT_FOR_MESSAGES": "CHAT_URL",
    }  # fmt: skip
    show = "echo ${NIGHTSHIFT_SMTP_PASSWORD-nothing} ${CHAT_URL-nothing}"
    command = [sys.executable, "-m", "nightshift.stack.child_process", part, "sh", "-c", show]
    assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout == f"{sees}\n"
