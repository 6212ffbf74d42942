"""How old the masters are that serve, by filter."""

from collections.abc import Iterator
from datetime import date

from nightshift.context import Context
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.masters_ages import MasterAge, MasterFreshness, masters_ages
from nightshift.night_end.report_elements import MASTERS, Cell, Section, Tone, columns
from nightshift.night_end.report_parts import ReportPart, report_part

__all__ = ["ages_of_masters"]

TONES = {
    MasterFreshness.FRESH: Tone.GOOD,
    MasterFreshness.AGING: Tone.WARN,
    MasterFreshness.OLD: Tone.BAD,
    MasterFreshness.MISSING: Tone.BAD,
}


@report_part("Ages of the masters", rank=10, after=MASTERS)
def ages_of_masters(context: Context, night: date) -> ReportPart:
    """Return a row a kind and filter of each camera, coloured by its age."""
    rows = [row for own in context.instruments() for row in _rows(own, night)]
    policy = context.deployment.surveys[0].report
    note = (
        f"Of the quadrant whose newest master is the oldest. Fresh is younger than {policy.masters_fresh_days} days, "
        f"old is older than {policy.masters_old_days}; missing: a quadrant has none that may serve."
    )
    titles = columns("Camera", "Master", "Filter", ">Age", "State", "Newest of", "Oldest of", ">Quadrants")
    several = len(context.instruments()) > 1
    if not several:
        titles, rows = titles[1:], [row[1:] for row in rows]
    return ReportPart((Section("Ages of the masters", titles, rows, note),))


def _rows(own: Context, night: date) -> Iterator[tuple[str, ...]]:
    instrument = own.survey.camera.instrument
    taken = night_end_queries.filters_of_science(own.ledger, instrument=instrument, night=night)
    for age in masters_ages(own, night, [row.filter for row in taken]):
        yield instrument, *_cells(age)


def _cells(age: MasterAge) -> tuple[str, ...]:
    days = "—" if age.age_days is None else f"{age.age_days} day{'' if age.age_days == 1 else 's'}"
    return (
        age.kind, age.filter or "all", days, Cell(age.freshness, TONES[age.freshness]),
        str(age.newest or "—"), str(age.oldest or "—"), f"{age.with_master} of {age.quadrants}",
    )  # fmt: skip
