"""Where the poster finds the broker, and whose limits it keeps to."""

import re
from pathlib import Path

import pytest

from nightshift.alerts.address import Broker, broker_from_environment
from nightshift.alerts.sending_limits import NoLimits, sending_limits
from nightshift.errors import Retry


@pytest.mark.parametrize(
    ("content", "broker"),
    [
        ("summit:9092", Broker("summit:9092")),
        ("127.0.0.1:4000\n", Broker("127.0.0.1:4000")),
        ("127.0.0.1:4000\nbroker 3f2a\n", Broker("127.0.0.1:4000", "broker", "3f2a")),
    ],
)
def test_a_file_says_where_the_broker_is_and_which_stand_in_it_is(content, broker, tmp_path, monkeypatch):
    (tmp_path / "address").write_text(content)
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", f"file:{tmp_path / 'address'}")
    assert broker_from_environment() == broker


def test_a_site_names_its_broker_itself(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", "kafka1:9092,kafka2:9092")
    assert broker_from_environment() == Broker("kafka1:9092,kafka2:9092")
    monkeypatch.delenv("NIGHTSHIFT_BROKERS")
    with pytest.raises(Retry, match="NIGHTSHIFT_BROKERS is not set"):
        broker_from_environment()


def test_a_broker_of_a_site_has_no_limits():
    limits = sending_limits(None, Broker("kafka1:9092"))
    assert isinstance(limits, NoLimits)
    assert limits.fitting(["first", "second"]) == ["first", "second"]


def test_what_sends_alerts_knows_nothing_of_the_broker_that_a_rehearsal_runs():
    root = Path(__file__).parents[3]
    files = [*(root / "nightshift" / "alerts").glob("*.py"), *(root / "sql" / "queries").glob("*.sql")]
    assert [file.name for file in files if re.search(r"mock|embedded", file.read_text())] == []
