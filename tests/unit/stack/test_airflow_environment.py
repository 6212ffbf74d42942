"""Airflow's size follows the machine, and what a site sets for Airflow is respected."""

import pytest

from nightshift.settings import load_deployment
from nightshift.stack.airflow_environment import MUST_HOLD, overruled, sizes
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import Machine, Outside
from nightshift.stack.machine_size import cores, memory_mb
from nightshift.stack.ports import Ports


@pytest.fixture
def machine(tmp_path):
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    home.postgres.mkdir()
    (home.postgres / "password").write_text("x")
    return Machine(load_deployment("demo"), home, Ports(), Outside())


@pytest.mark.parametrize(
    ("cpus", "memory", "parallelism", "workers", "parsing"),
    [(1, 1000, 2, 1, 1), (2, 8000, 6, 1, 2), (2, 2000, 2, 1, 2), (16, 64000, 48, 2, 4), (128, 512000, 64, 4, 4)],
)
def test_airflows_processes_follow_cores_and_memory(cpus, memory, parallelism, workers, parsing):
    assert [int(value) for value in sizes(cpus, memory).values()] == [parallelism, workers, parsing]


def test_a_machines_environment_has_the_sizes_of_this_machine(machine):
    environment = machine.environment()
    for name, value in sizes(cores(), memory_mb()).items():
        assert environment[f"AIRFLOW__{name}"] == value


def test_what_a_site_sets_for_airflow_wins_over_ours(machine, monkeypatch):
    own = {
        "AIRFLOW__CORE__PARALLELISM": "17", "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "3",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG", "AIRFLOW_CONN_OURS": "http://u@h", "AIRFLOW_VAR_SITE": "summit",
    }  # fmt: skip
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    environment = machine.environment()
    assert {name: environment[name] for name in own} == own


@pytest.mark.parametrize("form", ["", "_CMD", "_SECRET"])
def test_what_the_stack_cannot_run_without_holds_whatever_a_site_sets(form, machine, monkeypatch):
    before = machine.environment()
    for name in (*MUST_HOLD, "AIRFLOW_HOME", "AIRFLOW_CONN_NIGHTSHIFT_API"):
        monkeypatch.setenv(f"{name}{form}" if name in MUST_HOLD else name, "mine")
    environment = machine.environment()
    assert {key: value for key, value in environment.items() if key.startswith("AIRFLOW")} == {
        key: value for key, value in before.items() if key.startswith("AIRFLOW")
    }


def test_a_variable_that_is_not_taken_is_named(monkeypatch):
    assert overruled({"AIRFLOW__CORE__EXECUTOR": "x", "AIRFLOW__CORE__PARALLELISM": "4", "HOME": "/"}) == [
        "AIRFLOW__CORE__EXECUTOR"
    ]


def test_a_container_has_the_size_of_its_limits(tmp_path):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{512 * 2**20}\n")
    assert (cores(tmp_path), memory_mb(tmp_path)) == (1, 512)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (cores(tmp_path), memory_mb(tmp_path)) == (cores(tmp_path / "none"), memory_mb(tmp_path / "none"))
