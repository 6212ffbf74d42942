"""Whether the morning's report says that the real-bogus model is to be trained anew."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from night_rows import NIGHT

from nightshift.night_end.accounts import account
from nightshift.night_end.report import write_report
from nightshift.realbogus.retraining import note_model, retraining_due, trained_for

pytestmark = pytest.mark.integration


@pytest.fixture
def model(workplace, tmp_path):
    """A model that was trained for this survey as it is."""
    path = tmp_path / "model.json"
    record = {"surveys": {workplace.survey.name: trained_for(workplace.survey)}}
    path.write_text(json.dumps({"version": "test-1", "record": record}))
    return path


def test_a_model_serves_as_long_as_references_and_settings_stay(workplace, night, model):
    night.reference()
    note_model(workplace, model=model)
    assert retraining_due(workplace, model=model) == []


def test_the_models_that_ship_are_made_for_the_surveys_that_ship(workplace, night):
    assert retraining_due(workplace) == []


def test_a_replaced_reference_makes_retraining_due_and_the_report_names_it(workplace, night):
    night.science(1)
    night.manifest()
    night.reference()
    account(workplace, NIGHT)
    assert "Retraining" not in write_report(workplace, NIGHT).text
    since = night.query("select in_use_since from real_bogus_models")[0]["in_use_since"]
    night.reference(version=2, built=since + timedelta(hours=1))
    account(workplace, NIGHT)
    text = " ".join(write_report(workplace, NIGHT).text.split())  # its lines are wrapped
    assert "is due (nightshift train-realbogus): references were replaced since it came into use" in text
    assert "g v2" in text


def test_a_new_model_is_not_due_for_references_that_it_found_here(workplace, night, model):
    night.reference()
    note_model(workplace, model=model)
    since = night.query("select in_use_since from real_bogus_models")[0]["in_use_since"]
    night.reference(version=2, built=since - timedelta(hours=1))
    assert retraining_due(workplace, model=model) == []


def test_other_settings_of_the_difference_make_retraining_due(workplace, night, model):
    changed = workplace.survey.model_copy(
        update={"reduction": workplace.survey.reduction.model_copy(update={"kernel_order": 1})}
    )
    (line,) = retraining_due(replace(workplace, survey=changed), model=model)
    assert "has other settings than those it was trained for" in line


def test_a_survey_that_no_model_was_trained_for_is_named(workplace, night, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"version": "test-1", "record": {}}))
    (line,) = retraining_due(workplace, model=path)
    assert "is none of those it was trained for" in line
