"""Commands that the mail offers to copy: with the night and the thing put in, and safe in a shell."""

import shlex
from datetime import date

import pytest

from nightshift.ledger.queries.night_end import LoudEvent
from nightshift.night_end.commands_to_copy import Commands
from nightshift.vocabulary import EventLevel

NIGHT = date(2026, 1, 15)


def event(kind, subject=""):
    return LoudEvent(EventLevel.PAGE, kind, "text", subject, 1)


def test_a_command_about_a_night_names_its_site_where_there_are_several():
    assert Commands(NIGHT).of_night("verify") == "nightshift verify 20260115"
    assert Commands(NIGHT, "north").of_night("verify") == "nightshift verify 20260115 --site north"


def test_a_name_that_a_shell_would_run_is_quoted():
    name = "a b;rm -rf $HOME`x`.fits"
    command = Commands(NIGHT).of_thing("explain", name)
    assert shlex.split(command) == ["nightshift", "explain", name]


@pytest.mark.parametrize("name", ["", "a\nrm -rf /", "x\x1b[2J", "\u202egnp.fits", "--help", "naïve.fits"])
def test_a_name_that_cannot_be_copied_as_it_looks_is_in_no_command(name):
    assert Commands(NIGHT).of_thing("explain", name) == "nightshift night 20260115"
    assert Commands(NIGHT).of_event(event("job_not_collected", name)) == "nightshift night 20260115"


def test_the_command_of_an_event_has_its_night_and_subject():
    job = "science/democam/1/live"
    assert Commands(NIGHT).of_event(event("job_not_collected", job)) == f"nightshift explain {job}"
    assert Commands(NIGHT).of_event(event("night_overdue")) == "nightshift night 20260115"
    assert Commands(NIGHT, "north").of_event(event("night_overdue")) == "nightshift night 20260115 --site north"
    assert Commands(NIGHT, "north").of_event(event("settings_changed")) == (
        "nightshift settings adopt --site north --night 20260115 --reason ..."
    )
    assert "--site" not in Commands(NIGHT).of_event(event("settings_changed"))


def test_an_event_whose_kind_has_no_command_has_one_about_the_night():
    assert Commands(NIGHT).of_event(event("of_an_older_version")) == "nightshift night 20260115"
    assert Commands(NIGHT, "north").of_event(event("file_stuck", "x")) == "nightshift night 20260115 --site north"
