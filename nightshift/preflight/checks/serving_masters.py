"""How old the masters are that serve until tonight's are made."""

from nightshift.masters_ages import MasterAge, MasterFreshness
from nightshift.preflight.check import Afternoon, Finding, check, counted_as, green, red, unknown, worst, yellow

__all__ = ["check_masters"]


@check("masters", "Masters")
def check_masters(afternoon: Afternoon) -> Finding:
    """Judge each kind and filter: `report.masters_fresh_days`, `report.masters_old_days`."""
    if afternoon.plan is None:
        return unknown("Which filters are planned is not known: the night has no plan.", "See why: nightshift plan.")
    ages = [(camera.instrument, age) for camera in afternoon.plan.cameras for age in camera.masters]
    if not ages:
        return green("This survey makes no masters")
    first = all(age.newest is None for _, age in ages)
    found = worst(_judged(instrument, age, first=first) for instrument, age in ages)
    if found.state.value == "green":
        oldest = max(age.age_days or 0 for _, age in ages)
        return green(
            f"{counted_as(len(ages), 'set')} of masters, the oldest {counted_as(oldest, 'night')} old",
            number=oldest,
            unit="nights",
        )
    return found


def _judged(instrument: str, age: MasterAge, *, first: bool) -> Finding:
    name = f"{age.kind} {age.filter}".strip()
    whose = f"{instrument}: {name}"
    if age.freshness is MasterFreshness.FRESH:
        return green(f"{whose} of {age.oldest}")
    if age.freshness is MasterFreshness.MISSING:
        sentence = f"{whose}: {age.with_master} of {age.quadrants} quadrants have a master"
        advice = f"See that {name} frames are taken this afternoon."
        # on a survey's first night nothing else can be
        return yellow(sentence, advice) if first else red(sentence, advice, number=age.with_master, unit="quadrants")
    sentence, advice = f"{whose} is {counted_as(age.age_days or 0, 'night')} old", f"Have {name} frames taken."
    judge = red if age.freshness is MasterFreshness.OLD else yellow
    return judge(sentence, advice, number=age.age_days, unit="nights")
