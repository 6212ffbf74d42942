"""What comes from outside cannot change how the report reads."""

from hypothesis import given
from hypothesis import strategies as st

from nightshift.night_end.archive import checksum_line
from nightshift.night_end.mail import message_id, next_message_id
from nightshift.night_end.sections import Column, Section, duration, plain, size, text_table
from nightshift.settings import load_survey


@given(st.text(max_size=400), st.integers(9, 200))
def test_a_name_shows_on_one_line_of_bounded_length_without_control_marks(text, most):
    shown = plain(text, most)
    assert shown.isprintable() and len(shown) <= most


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=100))
def test_an_ordinary_name_stays_as_it_is(text):
    assert plain(text) == text


@given(st.lists(st.tuples(st.text(max_size=90), st.text(max_size=90)), max_size=5))
def test_a_text_table_has_one_line_a_row(rows):
    table = text_table(Section("t", (Column("a"), Column("b", "right")), rows))
    assert len(table.split("\n")) == len(rows) + 2


@given(st.text(min_size=1))
def test_a_checksum_line_is_one_line_and_says_when_its_name_is_escaped(name):
    line = checksum_line("0" * 64, name)
    assert line.count("\n") == 1 and "\r" not in line
    assert line.startswith("\\") == any(c in name for c in "\\\n\r")


def test_corrections_of_a_night_are_numbered_mails_of_one_thread():
    from datetime import date

    first = message_id(load_survey("demo"), date(2026, 1, 15))
    assert first == "<nightshift.demo.20260115.summary.1@localhost>"
    assert next_message_id(next_message_id(first)) == "<nightshift.demo.20260115.summary.3@localhost>"


def test_spans_and_sizes_read_as_a_human_says_them():
    assert [duration(s) for s in (None, 7.25, 600, 9000)] == ["—", "7.2 s", "10.0 min", "2.5 h"]
    assert [size(b) for b in (12, 1200, 70e9, 2e12)] == ["12 B", "1.2 kB", "70.0 GB", "2.00 TB"]
