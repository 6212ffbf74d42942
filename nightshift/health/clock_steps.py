"""Time that no deadline counts: while nobody was watching, and what the machine's clock skipped.

Deadlines protect the night from what does not come. While the machine was off, or its clock was set, nothing could
come, and a frame that lay in the inbox all the while was not late. So every look at the inbox is noted by the clock
and by the machine's steady clock, which nobody can set; where the two disagree, or nobody looked for long, the
ledger keeps the span as a pause, and its function ``steady_age_s`` leaves pauses out of every age.
"""

import time
from functools import cache
from pathlib import Path

from nightshift.context import Context
from nightshift.ledger.queries import watch
from nightshift.vocabulary import EventLevel

__all__ = ["look"]

UNWATCHED_S = 15.0  # without a look
STEP_S = 5.0  # by which the clock went otherwise than time did


def look(context: Context, *, steady_s: float | None = None, boot: str | None = None) -> float:
    """Note that the inbox is looked at now, and return how many seconds are left out of all ages because of it.

    Parameters
    ----------
    context : Context
    steady_s : float, optional
        The steady clock, in seconds; by default the machine's, which goes on while it sleeps.
    boot : str, optional
        Which boot of which machine that clock belongs to.
    """
    boot = boot or boot_id()
    with context.ledger.transaction() as ledger:
        before = watch.last_look(ledger)
        steady_s = time.clock_gettime(time.CLOCK_BOOTTIME) if steady_s is None else steady_s
        watch.put_look(ledger, boot=boot, steady_s=steady_s)
        if before is None:
            return 0.0
        by_clock = before.since_s
        passed = steady_s - before.steady_s if boot == before.boot else by_clock
        step = by_clock - passed
        left_out = 0.0
        if abs(step) > STEP_S:
            left_out += _pause(context, "clock_step", step, passed)
            context.ledger.event(
                EventLevel.WARNING, "clock_stepped",
                f"The machine's clock was set {'forward' if step > 0 else 'back'} by {abs(step):.0f} s. No deadline "
                "counts that; see that the machine keeps its time (NTP).",
                night_time=context.clock.now(), seconds=round(step, 1),
            )  # fmt: skip
        if passed > UNWATCHED_S:
            left_out += _pause(context, "unwatched", passed, passed)
            context.ledger.event(
                EventLevel.INFO, "unwatched",
                f"Nobody watched the inbox for {passed:.0f} s; no deadline counts that.",
                night_time=context.clock.now(), seconds=round(passed, 1),
            )  # fmt: skip
        return left_out


def _pause(context: Context, kind: str, seconds: float, passed: float) -> float:
    watch.put_pause(context.ledger, kind=kind, seconds=seconds, passed=passed)
    return seconds


@cache
def boot_id() -> str:
    """Return the kernel's name for this boot, or an empty text where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
