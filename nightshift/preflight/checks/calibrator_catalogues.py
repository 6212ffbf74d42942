"""Whether the planned fields have catalogues of calibrators, and how old catalogues and the ephemeris are."""

import time
from collections.abc import Iterator
from pathlib import Path

from nightshift.kinds.science.catalogues import catalogue_path
from nightshift.preflight.check import Afternoon, Finding, check, counted_as, green, red, unknown, worst, yellow

__all__ = ["check_catalogues", "check_ephemeris"]

NAMED = 5
DAY_S = 86400.0


@check("catalogues", "Catalogues of calibrators")
def check_catalogues(afternoon: Afternoon) -> Finding:
    """Name the planned fields that have no catalogue, and say how old the oldest is."""
    if afternoon.plan is None:
        return unknown("Which fields are planned is not known: the night has no plan.", "See why: nightshift plan.")
    places = list(_places(afternoon))
    if not places:
        return green("No field of the survey is planned")
    without = sorted({field for field, path in places if path is None})
    findings = [_age([path for _, path in places if path is not None], afternoon)]
    if without:
        named = ", ".join(map(str, without[:NAMED])) + (", ..." if len(without) > NAMED else "")
        what = f"{counted_as(len(without), 'planned field')} without a catalogue: {named}"
        findings.append(
            yellow(
                f"{what}; the field's first good frame serves as one",
                "Prepare them: nightshift catalogue prepare.", number=len(without), unit="fields",
            )
        )  # fmt: skip
    return worst(findings)


def _places(afternoon: Afternoon) -> Iterator[tuple[int, Path | None]]:
    assert afternoon.plan is not None
    for own, camera in zip(afternoon.context.instruments(), afternoon.plan.cameras, strict=True):
        for field in sorted({reference.field for reference in camera.references}):
            yield field, catalogue_path(own, field)


def _age(paths: list[Path], afternoon: Afternoon) -> Finding:
    if not paths:
        return green("There is no catalogue whose age counts")
    days = _days_old(min(paths, key=lambda path: path.stat().st_mtime))
    sentence, most = (
        f"{counted_as(len(paths), 'catalogue')}, the oldest {days:.0f} days old",
        afternoon.policy.catalogue_days,
    )
    if most is not None and days > most:
        advice = "Prepare them anew: nightshift catalogue prepare."
        return yellow(sentence, advice, number=round(days, 1), unit="days")
    return green(sentence, number=round(days, 1), unit="days")


def _days_old(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / DAY_S


@check("ephemeris", "Ephemeris")
def check_ephemeris(afternoon: Afternoon) -> Finding:
    """Say how old the ephemeris is, where the settings name one."""
    if afternoon.policy.ephemeris is None:
        return green("The settings name no ephemeris")
    path = Path(afternoon.policy.ephemeris)
    if not path.is_file():
        return red(f"The ephemeris {path} is not there", "Put it there, or take it out of preflight.ephemeris.")
    days = _days_old(path)
    sentence = f"{path.name} is {days:.0f} days old"
    if days > afternoon.policy.ephemeris_days:
        return yellow(sentence, "Fetch a newer one.", number=round(days, 1), unit="days")
    return green(sentence, number=round(days, 1), unit="days")
