"""Settings of retention that would delete what is needed are refused."""

import pytest
from pydantic import ValidationError

from nightshift.housekeeping.retention_rules import rules
from nightshift.settings import load_survey
from nightshift.settings.retention import DiskPolicy, RetentionPolicy


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"differences_nights": 29}, "forced photometry"),
        ({"raw_nights": 2}, "greater than or equal to 3"),
        ({"calibrated_nights": 0}, "greater than or equal to 3"),
        ({"raw_nights": "never"}, "always"),
        ({"other_nights": {"flat": 30}}, "serve later nights"),
        ({"other_nights": {"reference": 300}}, "serve later nights"),
        ({"other_nights": {"calibrated": 300}}, "keys of their own"),
        ({"masks_nights": 3}, "Extra inputs"),
    ],
)
def test_what_would_delete_what_is_needed_is_refused(settings, says):
    with pytest.raises(ValidationError, match=says):
        RetentionPolicy(**settings)


@pytest.mark.parametrize("key", ["packets_nights", "differences_nights"])
def test_the_history_of_alerts_is_kept(key):
    survey = load_survey("demo")
    retention = RetentionPolicy(**{key: 40})
    changed = survey.model_dump() | {"retention": retention.model_dump()}
    changed["alerts"]["history_days"] = 45.0
    with pytest.raises(ValidationError, match=f"retention.{key} = 40"):
        type(survey).model_validate(changed)


def test_a_kind_that_always_stays_has_no_rule():
    kinds = {rule.kind for rule in rules(RetentionPolicy(raw_nights="always", other_nights={"thumbnail": 10}))}
    assert "raw" not in kinds and "product/thumbnail" in kinds
    assert not any("flat" in kind or "reference" in kind for kind in kinds)


def test_a_page_comes_after_a_warning():
    with pytest.raises(ValidationError, match="must not exceed"):
        DiskPolicy(page_days=20)
