"""Everything that the morning's report says, asked of the ledger once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.night_end.close import Verdict, verdict
from nightshift.night_end.night_rows import night_row
from nightshift.realbogus.retraining import retraining_due
from nightshift.vocabulary import AlertState, ErrorClass, Tier, UnitState, all_measurements

__all__ = ["MeasuredFilter", "NightFacts", "OpenTime", "Quantiles", "collect_facts"]

Row = dict[str, Any]
MOST_ON_SKY = 20_000  # alerts drawn
MOST_FOOTPRINTS = 2_000
MOST_STAMPS = 6
PAUSE = timedelta(minutes=10)  # a shorter one is no gap


@dataclass(frozen=True)
class OpenTime:
    """How the time between the first and the last science exposure was used.

    Parameters
    ----------
    span_s, open_s : float
        From the first opening of the shutter to the last closing; and how much of it the shutter was open.
    gaps : tuple of (datetime, datetime)
        Pauses longer than ten minutes and than five times the usual pause between two exposures.
    """

    span_s: float
    open_s: float
    gaps: tuple[tuple[Any, Any], ...]

    @property
    def fraction(self) -> float:
        """Return the open fraction."""
        return self.open_s / self.span_s if self.span_s > 0 else 0.0


@dataclass(frozen=True)
class Quantiles:
    """One measurement over the quadrants of a filter; None where it was made on none of them.

    Parameters
    ----------
    tenth, median, ninetieth, largest : float, optional
    present : int
        In how many quadrants it is above zero.
    """

    tenth: float | None = None
    median: float | None = None
    ninetieth: float | None = None
    largest: float | None = None
    present: int = 0


@dataclass(frozen=True)
class MeasuredFilter:
    """What the quadrants of a filter were measured for.

    Parameters
    ----------
    filter : str
    units, bad : int
        How many quadrants were measured, and how many of them are not good.
    measured : mapping of str to Quantiles
        By the measurement's name; of those that the report shows.
    """

    filter: str
    units: int
    bad: int
    measured: Mapping[str, Quantiles]


@dataclass(frozen=True)
class NightFacts:
    """The facts of one night, as tables."""

    survey_title: str
    site: str
    night: date
    row: Row
    verdict: Verdict
    sentences: Mapping[str, str]  # of reason codes
    field_names: Mapping[int, str]
    pixel_scale_arcsec: float
    science: list[Row]
    timeline: list[Row]
    open_time: OpenTime
    masters: list[Row]
    kept_out: list[Row]  # calibration frames in no master, with their reason
    quality: list[MeasuredFilter]
    warned: list[Row]  # measurements outside of their `warn` bounds, with how many quadrants
    rejected: list[Row]  # science units that did not end as processed
    flagged: list[Row]  # processed units with flags
    quarantine: list[Row]
    differences: list[Row]
    references: list[Row]
    alerts: dict[str, Row]
    topics: list[Row]
    latency: dict[bool, Row]  # by whether the alert had to wait for its reference
    completeness: Row  # counts of sources put into a sample of quadrants, and how many quadrants
    tracklets: list[Row]
    tracklet_positions: list[Row]
    sky: list[Row]
    footprints: list[Row]
    best: list[Row]
    events: list[Row]
    archive: Row
    needs: list[str]  # what needs a human, most urgent first

    def sentence(self, reason: str | None) -> str:
        """Return what is shown for a reason code."""
        return self.sentences.get(reason or "", reason or "")

    def field_name(self, field: int | None) -> str:
        """Return what a field is called."""
        return "no field of the survey" if field is None else self.field_names.get(field, f"field {field}")

    def alert_count(self, *states: str) -> int:
        """Return how many alerts are in any of these states."""
        return sum(self.alerts[s]["alerts"] for s in states if s in self.alerts)


def collect_facts(context: Context, night: date) -> NightFacts:
    """Ask the ledger for everything that the report of a night says.

    Parameters
    ----------
    context : Context
    night : date

    Returns
    -------
    NightFacts
        The same for the same ledger: no time of the day and no random order is in it.
    """
    site, surveys = context.site.name, context.deployment.surveys

    def ask(name: str, **more: Any) -> list[Row]:
        of_night = {"site": site, "night": night, "tier": Tier.PROCESSED, "campaign": LIVE}
        return context.ledger.rows("night_end", name, **of_night, **more)

    row = night_row(context, night)
    outcome = verdict(context, night)
    reasons = context.ledger.rows("night_end", "reasons")
    timeline = ask("timeline")
    alerts = {row["state"]: row for row in ask("alerts_by_state")}
    masters = [row for survey in surveys for row in ask("masters", instrument=survey.camera.instrument)]
    references = [row for survey in surveys for row in ask("references_built", instrument=survey.camera.instrument)]
    events = ask("loud_events", subject=f"{site}/{night:%Y%m%d}", elsewhere=list(context.deployment.elsewhere))
    quarantine = ask("quarantined")
    units = ask("units_of_night")
    return NightFacts(
        survey_title=_title(context),
        site=site,
        night=night,
        row=row,
        verdict=outcome,
        sentences={r["reason"]: r["sentence"] for r in reasons},
        field_names={f.id: f.name for survey in surveys for f in survey.sky.fields},
        pixel_scale_arcsec=surveys[0].camera.pixel_scale_arcsec,
        science=ask("science_by_field"),
        timeline=timeline,
        open_time=_open_time(timeline),
        masters=masters,
        kept_out=_kept_out(ask("frames_of_night"), ask("calibration_uses")),
        quality=_quality(ask("image_quality_by_filter"), ask("measurements_by_filter", names=_mailed())),
        warned=ask("quality_warnings"),
        rejected=[*(u for u in units if u["reason"]), *_unheld(outcome, units)],
        flagged=[u for u in units if u["flags"] and u["state"] == UnitState.PROCESSED],
        quarantine=quarantine,
        differences=ask("differences_by_state"),
        references=references,
        alerts=alerts,
        topics=ask("outbox_by_topic"),
        latency={row["waited"]: row for row in ask("latency")},
        completeness=context.ledger.rows("injection", "completeness_of_night", site=site, night=night, campaign=LIVE)[
            0
        ],
        tracklets=ask("tracklets"),
        tracklet_positions=ask("tracklet_positions"),
        sky=ask("sky_of_alerts", most=MOST_ON_SKY),
        footprints=ask("footprints", most=MOST_FOOTPRINTS),
        best=ask("best_candidates", most=MOST_STAMPS),
        events=events,
        archive=ask("archive_totals")[0],
        needs=[
            *_needs(outcome, {r["reason"]: r for r in reasons}, quarantine, units, masters, alerts, events),
            *(line for own in context.instruments() for line in retraining_due(own)),
        ],
    )


def _mailed() -> list[str]:
    return [measurement.name for measurement in all_measurements() if measurement.mail]


def _quality(filters: list[Row], measured: list[Row]) -> list[MeasuredFilter]:
    """Return what was measured in each filter."""
    by_filter: dict[str, dict[str, Quantiles]] = {}
    for row in measured:
        values = dict(zip(("tenth", "median", "ninetieth", "largest"), row["quantiles"] or (), strict=False))
        by_filter.setdefault(row["filter"], {})[row["name"]] = Quantiles(**values, present=row["present"])
    return [MeasuredFilter(**row, measured=by_filter.get(row["filter"], {})) for row in filters]


def _open_time(timeline: list[Row]) -> OpenTime:
    """Measure the open fraction and find the gaps between exposures in shutter order."""
    if not timeline:
        return OpenTime(0.0, 0.0, ())
    ends = [row["shutter_open"] + timedelta(seconds=row["exposure_s"]) for row in timeline]
    pauses = [
        (end, row["shutter_open"]) for end, row in zip(ends, timeline[1:], strict=False) if row["shutter_open"] > end
    ]
    lengths = sorted(begin_next - end for end, begin_next in pauses)
    usual = lengths[len(lengths) // 2] if lengths else timedelta()
    gaps = tuple((end, begin) for end, begin in pauses if begin - end > max(PAUSE, 5 * usual))
    span = (max(ends) - timeline[0]["shutter_open"]).total_seconds()
    return OpenTime(span, sum(row["exposure_s"] for row in timeline), gaps)


def _title(context: Context) -> str:
    """Return the survey's title, with the site where the survey has several."""
    title = context.deployment.title
    return f"{title}, {context.site.name}" if context.deployment.has_several_sites else title


def _kept_out(frames: list[Row], uses: list[Row]) -> list[Row]:
    """Return the calibration frames that masters refused, with their reason and level."""
    by_key = {(f["instrument"], f["exposure_id"], f["detector"]): f for f in frames}
    refused = (u for u in uses if not u["accepted"])
    found = [{**by_key[u["instrument"], u["exposure_id"], u["detector"]], **u} for u in refused]
    return sorted(found, key=lambda row: row["inbox_name"])


def _unheld(outcome: Verdict, units: list[Row]) -> list[Row]:
    """Return the ends of units that have no row, because nothing of their exposure ever came."""
    rows = {u["unit_key"] for u in units}
    parts = outcome.accounts.units.parts
    return [
        {"unit_key": m.subject, "state": state, "reason": m.reason, "detail": m.detail, "flags": []}
        for state in ("missing", "failed")
        for m in parts[state]
        if m.subject not in rows
    ]


def _needs(
    outcome: Verdict,
    reasons: Mapping[str, Row],
    quarantine: list[Row],
    units: list[Row],
    masters: list[Row],
    alerts: Mapping[str, Row],
    events: list[Row],
) -> list[str]:
    """Return what needs a human, most urgent first, each once."""
    lines = [f"{line[0].upper()}{line[1:]}." for line in outcome.reasons]
    lines += [f"{e['message']}{_times(e['times'])}" for e in events if e["level"] in ("page", "error")]

    def human(reason: str | None) -> bool:
        return reason is not None and reasons[reason]["error_class"] == ErrorClass.NEEDS_OPERATOR

    tally: dict[tuple[str, str], list[str]] = {}
    for file in outcome.accounts.sent.parts["missing"] + outcome.accounts.sent.parts["corrupt"]:
        tally.setdefault(("file", file.reason), []).append(file.subject)
    for row in quarantine:
        if row["inbox_name"] not in tally.get(("file", row["reason"]), []):
            tally.setdefault(("file", row["reason"]), []).append(row["inbox_name"])
    for unit in units:
        if unit["state"] != "processed" and not tally.get(("file", unit["reason"])):
            tally.setdefault(("unit", unit["reason"]), []).append(unit["unit_key"])
    for (what, reason), subjects in tally.items():
        if human(reason):
            lines.append(f"{_count(len(subjects), what)}: {reasons[reason]['sentence']} First: {subjects[0]}.")
    flagged = [(flag, u["unit_key"]) for u in units if u["state"] == UnitState.PROCESSED for flag in u["flags"]]
    for reason, count in Counter(flag for flag, _ in flagged if human(flag)).items():
        first = next(key for flag, key in flagged if flag == reason)
        lines.append(f"{_count(count, 'processed unit')}: {reasons[reason]['sentence']} First: {first}.")
    for master in masters:
        if master["in_service"] < master["masters"]:
            name = f"{master['kind']} {master['filter']}".strip()
            why = " ".join(reasons[r]["sentence"] for r in master["reasons"])
            lines.append(f"Master {name}: {master['in_service']} of {master['masters']} in service. {why}".strip())
    if AlertState.WITHHELD in alerts:
        withheld = _count(alerts[AlertState.WITHHELD]["alerts"], "alert")
        lines.append(f"{withheld} withheld: look at them, then release or drop them.")
    unsent = sum(alerts[s]["alerts"] for s in (AlertState.HELD, AlertState.RELEASED) if s in alerts)
    if unsent:
        lines.append(f"{_count(unsent, 'alert')} not sent: see whether the broker takes messages.")
    if outcome.accounts.unlisted:
        names = outcome.accounts.unlisted
        lines.append(f"{_count(len(names), 'registered file')} not on the manifest. First: {names[0].subject}.")
    return list(dict.fromkeys(lines))


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def unit_name(key: str) -> str:
    """Return a unit's key without the parts that are the same for all of a live night."""
    return str(PurePosixPath(*PurePosixPath(key).parts[1:4]))
