"""The vocabulary is defined once: the database's types and reasons are held to it."""

import re
from enum import StrEnum

import pytest

from nightshift import vocabulary
from nightshift.ledger.database import SQL
from nightshift.vocabulary import Reason, reason_entries, reason_of
from reduction.problems import Problem

TYPES = {
    "image_type": vocabulary.ImageType,
    "tier": vocabulary.Tier,
    "night_state": vocabulary.NightState,
    "disposition": vocabulary.Disposition,
    "exposure_state": vocabulary.ExposureState,
    "unit_state": vocabulary.UnitState,
    "attempt_state": vocabulary.AttemptState,
    "error_class": vocabulary.ErrorClass,
    "calibration_kind": vocabulary.CalibrationKind,
    "calibration_state": vocabulary.CalibrationState,
    "reference_state": vocabulary.ReferenceState,
    "alert_state": vocabulary.AlertState,
    "outbox_state": vocabulary.OutboxState,
    "calendar_kind": vocabulary.CalendarKind,
    "check_state": vocabulary.CheckState,
    "event_level": vocabulary.EventLevel,
}
MIGRATIONS = "\n".join(path.read_text() for path in sorted((SQL / "migrations").glob("*.sql")))
IN_DATABASE = {
    name: re.findall(r"'(\w+)'", members)
    for name, members in re.findall(r"create type (\w+) as enum\s*\(([^)]*)\)", MIGRATIONS)
    if f"drop type {name};" not in MIGRATIONS
}


@pytest.mark.parametrize("problem", Problem)
def test_what_pixels_can_be_unfit_for_is_a_reason_of_the_survey(problem):
    assert reason_of(problem).name == problem.name


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_type_of_the_database_has_the_members_of_its_enum_in_their_order(name):
    assert IN_DATABASE[name] == [member.value for member in TYPES[name]]


def test_every_type_of_the_database_has_an_enum_and_every_stored_enum_a_type():
    unstored = {"EventLevel", "JobState", "Reason"}
    enums = {
        name
        for name in vocabulary.__all__
        if isinstance(getattr(vocabulary, name), type) and issubclass(getattr(vocabulary, name), StrEnum)
    }
    assert set(IN_DATABASE) == set(TYPES)
    assert enums - {enum.__name__ for enum in TYPES.values()} <= unstored


def test_every_reason_has_a_sentence_of_its_own():
    entries = reason_entries()
    assert [entry.code for entry in entries] == list(Reason)
    sentences = [entry.sentence for entry in entries]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith(".") for sentence in sentences)
