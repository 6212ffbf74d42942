"""The alert rules and the dashboard that ship speak of figures that are given."""

import json
import re
from pathlib import Path

import pytest
import yaml

from nightshift.metrics.collector import all_families
from nightshift.vocabulary import all_measurements

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = re.compile(r"\bnightshift_[a-z0-9_]+")
OF_THE_SCRAPE = {"nightshift_ledger_up", "nightshift_scrape_seconds"}
LABELS = re.compile(r"(nightshift_[a-z0-9_]+)\{([^}]*)\}")


def rules():
    groups = yaml.safe_load((DEPLOY / "prometheus" / "nightshift.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions():
    dashboard = json.loads((DEPLOY / "grafana" / "nightshift.json").read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    return [rule["expr"] for rule in rules()] + targets + asked


@pytest.mark.parametrize("expression", expressions())
def test_every_figure_that_is_asked_for_is_given(expression):
    given = {family.name for family in all_families()} | OF_THE_SCRAPE
    assert set(NAME.findall(expression)) <= given


@pytest.mark.parametrize("expression", expressions())
def test_every_label_that_is_asked_for_is_given(expression):
    labels = {family.name: family.labels for family in all_families()}
    for name, text in LABELS.findall(expression):
        assert {part.split("=")[0].rstrip("~!").strip() for part in text.split(",")} <= {*labels[name]}


def test_every_rule_says_what_it_is_and_what_to_do():
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_every_measurement_is_a_figure_by_itself():
    names = {family.name for family in all_families()}
    assert {f"nightshift_image_{measurement.name}" for measurement in all_measurements()} <= names


def test_no_two_figures_share_a_name():
    names = [family.name for family in all_families()]
    assert len(names) == len(set(names))
