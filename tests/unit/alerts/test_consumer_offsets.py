"""What the night's own consumer says it has taken, as the poster reads it."""

import pytest

from rehearsal.stand_ins.consumer_offsets import put_taken, taken


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", f"file:{tmp_path / 'broker'}")
    return tmp_path / "broker"


@pytest.mark.usefixtures("address")
def test_what_was_written_is_read_by_the_same_start_only():
    put_taken("one", {("a", 0): 3, ("a", 1): 0})
    assert taken("one") == {("a", 0): 3, ("a", 1): 0}
    assert taken("another") == {}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"start": "one"}', '{"start": "one", "offsets": 5}',
             '{"start": "one", "offsets": [[1]]}'],
)  # fmt: skip
def test_a_file_that_says_nothing_legible_is_as_one_that_is_not_there(address, text):
    address.with_name("broker.taken").write_text(text)
    assert taken("one") == {}
