"""A check is given an afternoon without a ledger: what it asks of others is stubbed."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.night_plan.make_plan import CameraPlan, NightPlan
from nightshift.night_plan.night_costs import Room
from nightshift.night_plan.night_sky import MoonAt
from nightshift.night_plan.schedule import Planned
from nightshift.preflight.check import Afternoon
from nightshift.settings import Deployment, load_survey

NIGHT = date(2026, 1, 15)


def plan_with(*, masters=(), references=(), raw_bytes=1e6, product_bytes=4e6):
    camera = CameraPlan("democam", (1, 2), Planned((), "a test", False), 0, 0, tuple(masters), tuple(references))
    return NightPlan(
        "demo", NIGHT, None, None, {}, None, MoonAt(0, 0), (camera,), (), (),
        Room(raw_bytes, product_bytes, "a test", False), 2, (),
    )  # fmt: skip


@pytest.fixture
def plan_of():
    return plan_with


@pytest.fixture
def afternoon(tmp_path, clock):
    """Makes an afternoon; `preflight` has thresholds in place of those of the settings, `plan` the night's plan."""
    (tmp_path / "depot").mkdir()
    (tmp_path / "inbox").mkdir()

    def make(plan=None, **preflight):
        survey = load_survey("demo")
        survey = survey.model_copy(update={"preflight": survey.preflight.model_copy(update=preflight)})
        context = Context(
            Deployment.of(survey), None, Depot(tmp_path / "depot"), tmp_path / "inbox",
            replace(clock, moment=datetime(2026, 1, 15, 22, tzinfo=UTC)),
        )  # fmt: skip
        return Afternoon(context, NIGHT, plan)

    return make
