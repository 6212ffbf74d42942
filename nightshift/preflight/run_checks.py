"""Run the checks beside each other, each for so long and no longer."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.errors import NightshiftError
from nightshift.night_plan.make_plan import NightPlan
from nightshift.preflight.check import Afternoon, Check, Finding, unknown

__all__ = ["Result", "run_checks"]

OpenContext = Callable[[], AbstractContextManager[Context]]
Answers = queue.SimpleQueue[tuple[str, Finding, float]]


@dataclass(frozen=True)
class Result:
    """What one check found, and how long it took."""

    check: Check
    finding: Finding
    seconds: float


def run_checks(
    checks: Sequence[Check], night: date, plan: NightPlan | None, open_context: OpenContext, *, within_s: float
) -> list[Result]:
    """Run checks beside each other and return what each found, in their order.

    A check that fails is unknown, and so is one that has no answer in time: nobody waits for it any more, and what it
    still does has no effect. Unknown is never green.

    Parameters
    ----------
    checks : sequence of Check
    night : date
    plan : NightPlan or None
    open_context : callable
        Opens the context of the site, with a connection to the ledger of its own.
    within_s : float
        For how long one is waited, where it does not say so itself.
    """
    answers: Answers = queue.SimpleQueue()
    began = time.monotonic()
    for each in checks:
        work = (each, night, plan, open_context, answers)
        threading.Thread(target=_answer, args=work, name=f"check {each.name}", daemon=True).start()
    limits = {each.name: each.within_s or within_s for each in checks}
    found: dict[str, tuple[Finding, float]] = {}
    while waited_for := [name for name in limits if name not in found]:
        now = time.monotonic() - began
        for name in [name for name in waited_for if now >= limits[name]]:
            found[name] = _given_up(limits[name]), limits[name]
        if left := [limits[name] for name in waited_for if name not in found]:
            _take(answers, found, min(left) - now)
    return [Result(each, *found[each.name]) for each in checks]


def _take(answers: Answers, found: dict[str, tuple[Finding, float]], within_s: float) -> None:
    """Note the next answer; one that comes after its check was given up changes nothing."""
    try:
        name, finding, seconds = answers.get(timeout=max(within_s, 0.01))
    except queue.Empty:
        return
    found.setdefault(name, (finding, seconds))


def _answer(check: Check, night: date, plan: NightPlan | None, open_context: OpenContext, answers: Answers) -> None:
    began = time.monotonic()
    try:
        with open_context() as context:
            finding = check.run(Afternoon(context, night, plan))
    except NightshiftError as error:
        finding = unknown(f"{error}", "Mend what the text says and check again.")
    except Exception as error:  # noqa: BLE001 - a check may stumble over anything, and none may stop the others
        finding = unknown(f"The check itself failed: {type(error).__name__}: {error}"[:500], "Report it as a defect.")
    answers.put((check.name, finding, time.monotonic() - began))


def _given_up(after_s: float) -> Finding:
    return unknown(
        f"There was no answer within {after_s:g} s.", "See what hangs, and check again: nightshift preflight."
    )
