"""How long alerts took, and where the slowest lost their time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries import night_report as night_report_queries
from nightshift.ledger.queries.night_report import SlowAlert, WayOfUnit
from nightshift.night_end.report_elements import ALERTS, Section, columns
from nightshift.night_end.report_parts import ReportPart, report_part
from nightshift.night_end.report_text import duration

__all__ = ["Step", "latency_of_alerts", "steps_of_way"]

MOST_SLOW = 5
MOST_STEPS = 3  # that are told of one alert, the longest first
FROM = {True: "From the closing of the shutter", False: "Not a live night: from an exposure's last file"}
OF_FRAME, OF_DIFFERENCE = "science", "difference"  # kinds of work that an alert's unit passes through


@dataclass(frozen=True)
class Step:
    """A step of an alert's way and how long it took, in seconds."""

    name: str
    seconds: float


@report_part("From the shutter to the alert", rank=10, after=ALERTS)
def latency_of_alerts(context: Context, night: date) -> ReportPart | None:
    """Return the percentiles, and the slowest alerts with the steps that took their time."""
    ledger, site = context.ledger, context.site.name
    live = bool(night_report_queries.was_live(ledger, site=site, night=night))
    rows = night_end_queries.latency(ledger, site=site, night=night, live=live)
    if not rows:
        return None
    titles = columns("Alerts", ">Number", ">50 %", ">90 %", ">99 %", ">Worst")
    table = [
        (
            "that waited for a reference" if row.waited else "of fields with a reference", str(row.alerts),
            duration(row.p50_s), duration(row.p90_s), duration(row.p99_s), duration(row.max_s),
        )
        for row in rows
    ]  # fmt: skip
    title = "From the shutter to the alert" if live else "From the last file to the alert"
    note = f"{FROM[live]} to the broker's acknowledgement."
    return ReportPart((Section(title, titles, table, note), _slowest(context, night, live)))


def _slowest(context: Context, night: date, live: bool) -> Section:
    slow = night_report_queries.slowest_alerts(
        context.ledger, site=context.site.name, night=night, live=live, most=MOST_SLOW
    )
    ways = night_report_queries.ways_of_units(
        context.ledger, unit_keys=[alert.unit_key for alert in slow], night=night, campaign=LIVE
    )
    several = len(context.instruments()) > 1
    rows = [
        (
            f"{alert.instrument}/{alert.exposure_id}" if several else alert.exposure_id,
            *_cells(alert, [way for way in ways if way.unit_key == alert.unit_key], live),
        )
        for alert in slow
    ]
    titles = columns("Exposure", "Object", ">Took", "Where the time went")
    return Section("The slowest alerts", titles, rows, "The slowest alert of each of the slowest exposures.")


def _cells(alert: SlowAlert, ways: list[WayOfUnit], live: bool) -> tuple[str, ...]:
    steps = list(steps_of_way(alert, ways, live))
    longest = sorted(steps, key=lambda step: -step.seconds)[:MOST_STEPS]
    told = ", ".join(f"{step.name} {duration(step.seconds)}" for step in longest if step.seconds >= 0.05)
    took = duration(sum(step.seconds for step in steps))
    return alert.object_id or str(alert.candid), took, told


def steps_of_way(alert: SlowAlert, ways: list[WayOfUnit], live: bool) -> Iterator[Step]:
    """Take the way of one alert apart, from the ledger's moments; the steps sum to the whole.

    Parameters
    ----------
    alert : SlowAlert
    ways : list of WayOfUnit
        The jobs that worked on its unit, of which the last of each kind counts.
    live : bool
        Whether the way begins with the closing of the shutter.

    Yields
    ------
    Step
        In the order in which an alert meets them; none is negative.
    """
    last = {way.kind: way for way in ways}
    marks = _Marks(alert.shutter_closed if live else alert.last_arrival_at)
    if live:
        yield marks.until("arrival", alert.last_arrival_at)
    if reduced := last.get(OF_FRAME):
        yield marks.until("wait for a master or its turn", reduced.requested_at)
        yield marks.until("start of the workflow", reduced.created_at)
        yield from marks.until_worked(alert.ended_at, reduced.seconds, "queue", "reduction")
    else:
        yield marks.until("reduction and what came before", alert.ended_at)
    if alert.built_at is not None:
        yield marks.until("wait for its reference", alert.built_at)
    if searched := last.get(OF_DIFFERENCE):
        yield marks.until("start of the difference", searched.created_at)
        yield from marks.until_worked(alert.searched_at, searched.seconds, "queue of the difference", "difference")
    else:
        yield marks.until("difference", alert.searched_at)
    if alert.released_at is not None:
        yield marks.until("release", alert.released_at)
    yield marks.until("posting", alert.acknowledged_at)


class _Marks:
    """Walks along moments; what lies before the last one adds nothing."""

    def __init__(self, begin: datetime):
        self._at = begin

    def until(self, name: str, moment: datetime | None) -> Step:
        """Return the step that ended at a moment; of no length where the moment is not known."""
        if moment is None or moment <= self._at:
            return Step(name, 0.0)
        seconds = (moment - self._at).total_seconds()
        self._at = moment
        return Step(name, seconds)

    def until_worked(self, moment: datetime, worked_s: float | None, queue: str, work: str) -> Iterator[Step]:
        """Yield how long the queue and how long the work took of the step that ended at a moment."""
        step = self.until(work, moment)
        working = min(step.seconds, worked_s) if worked_s is not None else step.seconds
        yield Step(queue, step.seconds - working)
        yield Step(work, working)
