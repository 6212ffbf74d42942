"""Whether the morning's report says that the real-bogus model is to be trained anew."""

import json
from datetime import timedelta

import pytest
from night_rows import NIGHT

from nightshift.night_end.accounts import account
from nightshift.night_end.report import write_report
from nightshift.realbogus.retraining import note_model, retraining_due, trained_for

pytestmark = pytest.mark.integration


@pytest.fixture
def model(context, tmp_path):
    """A model that was trained for this survey as it is."""
    path = tmp_path / "model.json"
    record = {"surveys": {context.survey.name: trained_for(context.survey)}}
    path.write_text(json.dumps({"version": "test-1", "record": record}))
    return path


def test_a_model_serves_as_long_as_references_and_settings_stay(context, night, model):
    night.reference()
    note_model(context, model=model)
    assert retraining_due(context, model=model) == []


def test_the_models_that_ship_are_made_for_the_surveys_that_ship(context, night):
    assert retraining_due(context) == []


def test_a_replaced_reference_makes_retraining_due_and_the_report_names_it(context, night):
    night.science(1)
    night.manifest()
    night.reference()
    account(context, NIGHT)
    assert "Retraining" not in write_report(context, NIGHT).text
    since = night.query("select in_use_since from real_bogus_models")[0]["in_use_since"]
    night.reference(version=2, built=since + timedelta(hours=1))
    account(context, NIGHT)
    text = " ".join(write_report(context, NIGHT).text.split())  # its lines are wrapped
    assert "is due (nightshift train-realbogus): references were replaced since it came into use" in text
    assert "g v2" in text


def test_a_new_model_is_not_due_for_references_that_it_found_here(context, night, model):
    night.reference()
    note_model(context, model=model)
    since = night.query("select in_use_since from real_bogus_models")[0]["in_use_since"]
    night.reference(version=2, built=since - timedelta(hours=1))
    assert retraining_due(context, model=model) == []


def test_other_settings_of_the_difference_make_retraining_due(context, night, model):
    changed = context.survey.model_copy(
        update={"reduction": context.survey.reduction.model_copy(update={"kernel_order": 1})}
    )
    (line,) = retraining_due(context.with_survey(changed), model=model)
    assert "has other settings than those it was trained for" in line


def test_a_survey_that_no_model_was_trained_for_is_named(context, night, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"version": "test-1", "record": {}}))
    (line,) = retraining_due(context, model=path)
    assert "is none of those it was trained for" in line
