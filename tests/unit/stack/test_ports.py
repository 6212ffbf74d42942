"""Every port can be changed, and a taken one is said with what to set."""

import socket

import pytest

from nightshift.settings import SettingsError
from nightshift.stack.ports import Ports, check_free, ports_from_environment


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture(autouse=True)
def _no_ports_set(monkeypatch):
    for name in Ports().named():
        monkeypatch.delenv(f"NIGHTSHIFT_PORT_{name.upper()}", raising=False)


def test_without_settings_the_ports_are_the_documented_ones():
    assert ports_from_environment() == Ports()


@pytest.mark.parametrize("name", list(Ports().named()))
def test_every_port_can_be_changed(monkeypatch, name):
    monkeypatch.setenv(f"NIGHTSHIFT_PORT_{name.upper()}", "23456")
    assert ports_from_environment().named()[name] == 23456


def test_zero_takes_any_free_port_and_no_two_parts_share_one(monkeypatch):
    for name in Ports().named():
        monkeypatch.setenv(f"NIGHTSHIFT_PORT_{name.upper()}", "0")
    chosen = ports_from_environment().named()
    assert len(set(chosen.values())) == len(chosen)
    assert all(port > 0 for port in chosen.values())


@pytest.mark.parametrize("text", ["http", "-1", "65536", "80 80", "８０"])
def test_what_is_no_port_is_refused_with_its_variable(monkeypatch, text):
    monkeypatch.setenv("NIGHTSHIFT_PORT_AIRFLOW", text)
    with pytest.raises(SettingsError, match="NIGHTSHIFT_PORT_AIRFLOW"):
        ports_from_environment()


def test_two_parts_on_one_port_are_refused(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_PORT_AIRFLOW", "23456")
    monkeypatch.setenv("NIGHTSHIFT_PORT_SMTP", "23456")
    with pytest.raises(SettingsError, match="another part has this port"):
        ports_from_environment()


def test_a_taken_port_is_said_with_what_to_set(taken_port):
    with pytest.raises(SettingsError) as refusal:
        check_free(Ports(airflow=taken_port), frozenset({"airflow"}))
    assert f"port {taken_port}" in str(refusal.value)
    assert "PORT_AIRFLOW=" in str(refusal.value)
    assert "taken" in str(refusal.value)


def test_a_taken_port_of_a_part_that_does_not_start_here_does_not_matter(taken_port):
    check_free(Ports(smtp=taken_port), frozenset())
