"""Checks run beside each other; one that fails or hangs is unknown, and harms no other."""

import threading
import time
from contextlib import contextmanager
from datetime import date

import pytest

from nightshift.errors import NeedsOperator
from nightshift.preflight.check import Check, check, green, red
from nightshift.preflight.run_checks import run_checks
from nightshift.vocabulary import CheckState, Reason

NIGHT = date(2026, 1, 15)


@contextmanager
def no_context():
    yield None


def run(*functions, within_s=5.0, open_context=no_context):
    checks = [Check(function.__name__, function.__name__, function) for function in functions]
    return [result.finding for result in run_checks(checks, NIGHT, None, open_context, within_s=within_s)]


def well(afternoon):
    return green("well")


def amiss(afternoon):
    return red("amiss", "mend it")


def test_findings_come_in_the_order_of_the_checks():
    assert [finding.state for finding in run(amiss, well)] == [CheckState.RED, CheckState.GREEN]
    assert run() == []


def test_a_check_that_hangs_is_cut_off_and_unknown_and_the_others_have_their_answers():
    ends = threading.Event()

    def hangs(afternoon):
        ends.wait(30)
        return green("too late")

    began = time.monotonic()
    hung, good = run(hangs, well, within_s=0.3)
    ends.set()
    assert time.monotonic() - began < 5
    assert (hung.state, good.state) == (CheckState.UNKNOWN, CheckState.GREEN)
    assert "no answer within 0.3 s" in hung.sentence


def test_a_check_may_have_more_time_than_others():
    def slow(afternoon):
        time.sleep(0.4)
        return green("well")

    checks = [Check("slow", "slow", slow, within_s=10.0), Check("slow too", "slow too", slow)]
    states = [result.finding.state for result in run_checks(checks, NIGHT, None, no_context, within_s=0.1)]
    assert states == [CheckState.GREEN, CheckState.UNKNOWN]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("x"), SystemError("y"), NeedsOperator(Reason.INTERNAL_ERROR, "mount it")]
)
def test_a_check_that_stumbles_is_unknown_and_never_green(error):
    def stumbles(afternoon):
        raise error

    stumbled, good = run(stumbles, well)
    assert (stumbled.state, good.state) == (CheckState.UNKNOWN, CheckState.GREEN)
    assert str(error) in stumbled.sentence


def test_where_the_ledger_cannot_be_opened_nothing_is_green():
    @contextmanager
    def closed():
        raise NeedsOperator(Reason.INTERNAL_ERROR, "the ledger does not answer")
        yield

    assert {finding.state for finding in run(well, well, open_context=closed)} == {CheckState.UNKNOWN}


def test_a_name_is_used_once():
    with pytest.raises(ValueError, match="two checks are called 'disks'"):
        from nightshift.preflight.checks import disks  # noqa: F401

        check("disks", "again")(well)
