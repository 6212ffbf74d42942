"""Each cut keeps out what it names, and its bounds are allowed."""

import math

import pytest

from nightshift.alerts.cuts import missed_cut
from nightshift.settings import load_survey

POLICY = load_survey("demo").alerts
GOOD = {"signal_to_noise": 5.0, "magnitude": 19.0, "record": {"fwhm": 2.0, "elong": 1.1, "nbad": 0, "magdiff": 0.0}}


def changed(**record):
    columns = {key: record.pop(key) for key in ("signal_to_noise", "magnitude") if key in record}
    return {**GOOD, **columns, "record": {**GOOD["record"], **record}}


def test_a_good_candidate_passes():
    assert missed_cut(POLICY, **GOOD) is None


@pytest.mark.parametrize(
    ("change", "cut"),
    [
        ({"signal_to_noise": 4.999}, "signal_to_noise"),
        ({"fwhm": 7.01}, "fwhm"),
        ({"elong": 1.61}, "elong"),
        ({"nbad": 5}, "nbad"),
        ({"magdiff": -0.41}, "magdiff"),
        ({"magdiff": 0.76}, "magdiff"),
        ({"magnitude": None}, "magnitude"),
        ({"magnitude": math.nan}, "magnitude"),
    ],
)
def test_a_candidate_beyond_a_bound_misses_that_cut(change, cut):
    assert missed_cut(POLICY, **changed(**change)) == cut


@pytest.mark.parametrize("change", [{"fwhm": 7.0}, {"elong": 1.6}, {"nbad": 4}, {"magdiff": 0.75}, {"magdiff": -0.4}])
def test_a_candidate_on_a_bound_passes(change):
    assert missed_cut(POLICY, **changed(**change)) is None


def test_what_was_not_measured_misses_nothing():
    assert missed_cut(POLICY, **{**GOOD, "record": {"fwhm": None, "elong": math.nan}}) is None


def test_a_negative_detection_counts_by_its_size():
    assert missed_cut(POLICY, **changed(signal_to_noise=-6.0)) is None


def test_real_bogus_keeps_nothing_out_until_a_survey_asks_for_it():
    assert missed_cut(POLICY, **changed(rb=0.0)) is None
    strict = POLICY.model_copy(update={"real_bogus_at_least": 0.3})
    assert missed_cut(strict, **changed(rb=0.29)) == "rb"
    assert missed_cut(strict, **changed(rb=0.3)) is None
    assert missed_cut(strict, **changed(rb=None)) is None
    assert missed_cut(strict, **GOOD) is None
