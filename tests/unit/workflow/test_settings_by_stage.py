"""The settings' hash of a product changes with the settings that its kind of work uses, and with no others."""

import re
from pathlib import Path

import pytest
from declared_settings import only_declared

from nightshift.jobs.contract import UnitWork
from nightshift.kinds import kinds
from nightshift.kinds.kind import Kind
from nightshift.settings import load_deployment, load_survey, survey_names
from nightshift.settings.stages import OPERATOR_STAGES, hash_of_kind, hashes_by_stage


@pytest.fixture
def survey():
    return load_survey("demo")


def changed(survey, table, **values):
    """The survey with other values in one table."""
    return survey.model_copy(update={table: getattr(survey, table).model_copy(update=values)})


def stages_that_differ(survey, other):
    before, after = hashes_by_stage(survey), hashes_by_stage(other)
    whole = {kind.name for kind in kinds() if kind.settings is None}  # any change changes theirs
    return {stage for stage in before.keys() - whole if before[stage] != after[stage]}


@pytest.mark.parametrize(
    ("table", "values", "stages"),
    [
        ("alerts", {"match_radius_arcsec": 9.0}, {"release"}),
        ("night", {"mail_to": ("somebody@else",)}, {"night_end"}),
        ("storage", {"keep_events_days": 99}, {"night_end"}),
        ("alerts", {"at_most_per_unit": 7}, {"release", "science", "difference"}),
        ("calibration", {"wait_s": 1.0}, set()),
        ("calibration", {"unlike_sigma": 9.0}, {"master"}),
        ("calibration", {"gain_apart": 0.5}, {"master", "science"}),
        ("reduction", {"detection_sigma": 9.0}, {"science", "difference", "reference"}),
        ("moving_objects", {"residual_arcsec": 9.0}, {"moving_objects"}),
        ("camera", {"mask_edge_px": 3}, {"registration", "master", "science"}),
    ],
)  # fmt: skip
def test_a_change_changes_the_hash_of_the_stages_that_use_it(table, values, stages, survey):
    assert stages_that_differ(survey, changed(survey, table, **values)) == stages


def test_every_stage_names_settings_that_are_there():
    for survey in (survey for name in survey_names() for survey in load_deployment(name).surveys):
        assert set(hashes_by_stage(survey)) == {*OPERATOR_STAGES, *(kind.name for kind in kinds())}


def test_a_kind_that_declares_nothing_uses_everything(survey):
    kind = Kind("toy", "A toy.", "toy", ("night",), ("toys",))
    assert hash_of_kind(survey, kind) != hash_of_kind(changed(survey, "alerts", match_radius_arcsec=9.0), kind)


def test_a_kind_that_declares_what_is_not_there_is_told_so(survey):
    kind = Kind("toy", "A toy.", "toy", ("night",), ("toys",), settings=("alerts.nothing",))
    with pytest.raises(LookupError, match=r"no setting alerts\.nothing"):
        hash_of_kind(survey, kind)


def test_a_job_that_reads_what_its_kind_does_not_declare_is_found_out(survey):
    """Every test that runs a job runs it so (tests/conftest.py)."""
    kind = next(kind for kind in kinds() if kind.name == "difference")
    seen = only_declared(survey, kind)
    assert seen.reduction == survey.reduction
    assert seen.alerts.at_most_per_unit == survey.alerts.at_most_per_unit
    for place in ("night", "alerts.match_radius_arcsec"):
        with pytest.raises(AssertionError, match=re.escape(f"difference reads {place}, which it does not declare")):
            value = seen
            for name in place.split("."):
                value = getattr(value, name)


def test_the_guard_is_on_in_this_process(survey, tmp_path: Path, monkeypatch):
    kind = next(kind for kind in kinds() if kind.name == "moving_objects")
    monkeypatch.setattr("nightshift.kinds.moving_objects.work.run", lambda work, survey, folder: survey.night)
    with pytest.raises(AssertionError, match="does not declare"):
        kind.run(UnitWork("u", 1, "t", str(tmp_path), ()), survey, tmp_path)
