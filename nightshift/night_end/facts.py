"""Everything that the morning's report says, asked of the ledger once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.ledger.queries import injection as injection_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries import night_report as night_report_queries
from nightshift.ledger.queries.injection import CompletenessOfNight
from nightshift.ledger.queries.night_end import (
    AlertOnSky,
    AlertsInState,
    ArchiveTotals,
    BestCandidate,
    DifferencesInState,
    Footprint,
    Latency,
    LoudEvent,
    MastersOfKind,
    MeasurementOfFilter,
    QuarantinedFile,
    ReferenceBuilt,
    ScienceOfField,
    TopicMessages,
    Tracklet,
    TrackletPosition,
    UnitOfNight,
    WarnedMeasurement,
)
from nightshift.night_end.close import Verdict, verdict
from nightshift.night_end.commands_to_copy import Commands
from nightshift.night_end.needs import Findings, needs_of
from nightshift.night_end.night_rows import night_row
from nightshift.night_end.report_elements import REFERENCES, Need
from nightshift.night_end.report_parts import PlacedPart, parts_of_report
from nightshift.realbogus.retraining import retraining_due
from nightshift.vocabulary import AlertState, ImageType, Tier, UnitState, all_event_kinds, all_measurements
from nightshift.vocabulary.measurements import panels

__all__ = [
    "CameraFacts",
    "EndedUnit",
    "KeptOutFrame",
    "MeasuredExposure",
    "MeasuredFilter",
    "NightFacts",
    "OpenTime",
    "Quantiles",
    "SkyFacts",
    "collect_facts",
    "report_page",
]

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
    gaps: tuple[tuple[datetime, datetime], ...]

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
    units, bad, relative : int
        How many quadrants were measured, how many of them are not good, and how many were calibrated against the
        field's own first frame, for want of a catalogue.
    measured : mapping of str to Quantiles
        By the measurement's name; of those that the report shows.
    """

    filter: str
    units: int
    bad: int
    relative: int
    measured: Mapping[str, Quantiles]


@dataclass(frozen=True)
class MeasuredExposure:
    """A science exposure, with what the report draws of it against time.

    Parameters
    ----------
    exposure_id : str
    shutter_open : datetime
    exposure_s : float
    filter : str
    field : int or None
    good : bool
        Whether it was measured and each measured quadrant of it is good.
    measured : mapping of str to float
        Medians over its quadrants, by the measurement's name; without those that were made on none.
    """

    exposure_id: str
    shutter_open: datetime
    exposure_s: float
    filter: str
    field: int | None
    good: bool
    measured: Mapping[str, float]


@dataclass(frozen=True)
class KeptOutFrame:
    """A calibration frame that no master took.

    Parameters
    ----------
    inbox_name : str
    image_type : ImageType
    filter : str
    level : float or None
        In ADU.
    reason : str or None
    """

    inbox_name: str
    image_type: ImageType
    filter: str
    level: float | None
    reason: str | None


@dataclass(frozen=True)
class EndedUnit:
    """A science unit that did not end as processed."""

    unit_key: str
    state: str
    reason: str
    detail: str


@dataclass(frozen=True)
class CameraFacts:
    """What one camera of the site took in the night, and what was made of it.

    Parameters
    ----------
    instrument : str
    pixel_scale_arcsec : float
        Of a pixel, in arcsec.
    science : list of ScienceOfField
        By field and filter.
    timeline : list of MeasuredExposure
        In shutter order.
    open_time : OpenTime
    masters : list of MastersOfKind
    quality : list of MeasuredFilter
    warned : list of WarnedMeasurement
        Measurements outside of their `warn` bounds, with how many quadrants.
    references : list of ReferenceBuilt
    nights_before : tuple of date
        With science frames, earliest first: what the night's measurements are set against.
    history : mapping of (str, str) to tuple of (float or None)
        By filter and measurement: the median of each of these nights.
    """

    instrument: str
    pixel_scale_arcsec: float
    science: list[ScienceOfField]
    timeline: list[MeasuredExposure]
    open_time: OpenTime
    masters: list[MastersOfKind]
    quality: list[MeasuredFilter]
    warned: list[WarnedMeasurement]
    references: list[ReferenceBuilt]
    nights_before: tuple[date, ...] = ()
    history: Mapping[tuple[str, str], tuple[float | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SkyFacts:
    """Where the night looked and what it found there.

    Parameters
    ----------
    footprints : list of Footprint
        Of the quadrants.
    alerts : list of AlertOnSky
        The strongest.
    best : list of BestCandidate
        The strongest detections whose alerts left, one an object.
    tracklets : list of Tracklet
    tracklet_positions : list of TrackletPosition
    """

    footprints: list[Footprint]
    alerts: list[AlertOnSky]
    best: list[BestCandidate]
    tracklets: list[Tracklet]
    tracklet_positions: list[TrackletPosition]


@dataclass(frozen=True)
class NightFacts:
    """The facts of one night, as tables."""

    survey: str
    survey_title: str
    address: str  # of the page, where it is known where the pages are served
    airflow_url: str  # of Airflow's pages, where that is known
    site: str
    night: date
    verdict: Verdict
    sentences: Mapping[str, str]  # of reason codes
    field_names: Mapping[int, str]
    cameras: tuple[CameraFacts, ...]
    kept_out: list[KeptOutFrame]
    rejected: list[EndedUnit]
    flagged: list[UnitOfNight]  # processed units with flags
    quarantine: list[QuarantinedFile]
    differences: list[DifferencesInState]
    alerts: dict[AlertState, AlertsInState]
    topics: list[TopicMessages]
    live: bool  # whether it was worked on while it lasted; else latency counts from an exposure's last file
    latency: dict[bool, Latency]  # by whether the alert had to wait for its reference
    completeness: CompletenessOfNight  # of sources put into a sample of quadrants
    sky: SkyFacts
    events: list[LoudEvent]
    archive: ArchiveTotals
    parts: tuple[PlacedPart, ...]  # what other packages add to the report
    needs: list[Need]  # what needs a person, most urgent first

    @property
    def exposures(self) -> list[MeasuredExposure]:
        """The science exposures, camera by camera."""
        return [exposure for camera in self.cameras for exposure in camera.timeline]

    @property
    def has_several_cameras(self) -> bool:
        """Whether a row must say which camera it is of."""
        return len(self.cameras) > 1

    def sentence(self, reason: str | None) -> str:
        """Return what is shown for a reason code."""
        return self.sentences.get(reason or "", reason or "")

    def field_name(self, field: int | None) -> str:
        """Return what a field is called."""
        return "no field of the survey" if field is None else self.field_names.get(field, f"field {field}")

    def alert_count(self, *states: AlertState) -> int:
        """Return how many alerts are in any of these states."""
        return sum(self.alerts[state].alerts for state in states if state in self.alerts)


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

    Raises
    ------
    NeedsOperator
        If the ledger knows no such night.
    """
    night_row(context, night)
    ledger, site = context.ledger, context.site.name
    outcome = verdict(context, night)
    reasons = {row.reason: row for row in night_end_queries.reasons(ledger)}
    units = night_end_queries.units_of_night(ledger, site=site, night=night, tier=Tier.PROCESSED, campaign=LIVE)
    cameras = tuple(_camera(own, night) for own in context.instruments())
    alerts = {row.state: row for row in night_end_queries.alerts_by_state(ledger, site=site, night=night)}
    quarantine = night_end_queries.quarantined(ledger, site=site, night=night)
    events = _events(context, night)
    masters = [(c.instrument if len(cameras) > 1 else "", row) for c in cameras for row in c.masters]
    archive = night_end_queries.archive_totals(ledger, site=site, night=night)
    parts = parts_of_report(context, night)
    live = bool(night_report_queries.was_live(ledger, site=site, night=night))
    commands = Commands.of(context, night)
    (completeness,) = injection_queries.completeness_of_night(ledger, site=site, night=night, campaign=LIVE)
    assert archive is not None  # sums have a row always
    return NightFacts(
        survey=context.deployment.name,
        survey_title=_title(context),
        address=_address(context, night),
        airflow_url=context.deployment.surveys[0].report.airflow_url,
        site=site,
        night=night,
        verdict=outcome,
        sentences={code: row.sentence for code, row in reasons.items()},
        field_names={f.id: f.name for survey in context.deployment.surveys for f in survey.sky.fields},
        cameras=cameras,
        kept_out=_kept_out(context, night),
        rejected=_rejected(outcome, units),
        flagged=[unit for unit in units if unit.flags and unit.state is UnitState.PROCESSED],
        quarantine=quarantine,
        differences=night_end_queries.differences_by_state(ledger, site=site, night=night, campaign=LIVE),
        alerts=alerts,
        topics=night_end_queries.outbox_by_topic(ledger, site=site, night=night),
        live=live,
        latency={row.waited: row for row in night_end_queries.latency(ledger, site=site, night=night, live=live)},
        completeness=completeness,
        sky=_sky(context, night),
        events=events,
        archive=archive,
        parts=parts,
        needs=[
            *needs_of(Findings(outcome, reasons, quarantine, units, masters, alerts, events), commands),
            *(
                Need(line, command="nightshift train-realbogus", section=REFERENCES)
                for own in context.instruments()
                for line in retraining_due(own)
            ),
            *(need for placed in parts for need in placed.part.needs),
        ],
    )


def _camera(own: Context, night: date) -> CameraFacts:
    """Return what is said of one instrument by itself."""
    ledger, site, instrument = own.ledger, own.site.name, own.survey.camera.instrument
    timeline, before = _timeline(own, night), _nights_before(own, night)
    return CameraFacts(
        instrument=instrument,
        pixel_scale_arcsec=own.survey.camera.pixel_scale_arcsec,
        science=night_end_queries.science_by_field(
            ledger, site=site, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE
        ),
        timeline=timeline,
        open_time=_open_time(timeline),
        masters=night_end_queries.masters(ledger, night=night, instrument=instrument, campaign=LIVE),
        quality=_quality(own, night),
        warned=night_end_queries.quality_warnings(
            ledger, site=site, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE
        ),
        references=night_end_queries.references_built(
            ledger, site=site, night=night, instrument=instrument, campaign=LIVE
        ),
        nights_before=before,
        history=_history(own, before),
    )


def _nights_before(own: Context, night: date) -> tuple[date, ...]:
    rows = night_report_queries.nights_before(
        own.ledger, instrument=own.survey.camera.instrument, night=night, most=own.survey.report.quality_nights
    )
    return tuple(sorted(row.night for row in rows))


def _history(own: Context, nights: tuple[date, ...]) -> dict[tuple[str, str], tuple[float | None, ...]]:
    """Return what some nights' images were measured for, by filter and measurement."""
    rows = night_report_queries.measurements_of_nights(
        own.ledger, instrument=own.survey.camera.instrument, nights=list(nights), tier=Tier.PROCESSED, campaign=LIVE,
        names=[measurement.name for measurement in all_measurements() if measurement.mail],
    )  # fmt: skip
    found: dict[tuple[str, str], dict[date, float | None]] = {}
    for row in rows:
        found.setdefault((row.filter, row.name), {})[row.night] = row.median
    return {key: tuple(medians.get(night) for night in nights) for key, medians in found.items()}


def _timeline(own: Context, night: date) -> list[MeasuredExposure]:
    """Return the science exposures of an instrument with the measurements that have a panel."""
    ledger, site, instrument = own.ledger, own.site.name, own.survey.camera.instrument
    exposures = night_end_queries.timeline(
        ledger, site=site, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE
    )
    rows = night_end_queries.measurements_of_timeline(
        ledger, site=site, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE,
        names=[measurement.name for measurement, _ in panels()],
    )  # fmt: skip
    measured: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.median is not None:
            measured.setdefault(row.exposure_id, {})[row.name] = row.median
    return [MeasuredExposure(**asdict(row), measured=measured.get(row.exposure_id, {})) for row in exposures]


def _quality(own: Context, night: date) -> list[MeasuredFilter]:
    """Return what was measured in each filter of an instrument."""
    ledger, site, instrument = own.ledger, own.site.name, own.survey.camera.instrument
    filters = night_end_queries.image_quality_by_filter(
        ledger, site=site, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE
    )
    rows = night_end_queries.measurements_by_filter(
        ledger, site=site, night=night, instrument=instrument, tier=Tier.PROCESSED, campaign=LIVE,
        names=[measurement.name for measurement in all_measurements() if measurement.mail],
    )  # fmt: skip
    measured: dict[str, dict[str, Quantiles]] = {}
    for row in rows:
        measured.setdefault(row.filter, {})[row.name] = _quantiles(row)
    return [
        MeasuredFilter(row.filter, row.units, row.bad, row.relative, measured.get(row.filter, {})) for row in filters
    ]


def _quantiles(row: MeasurementOfFilter) -> Quantiles:
    if row.quantiles is None:
        return Quantiles(present=row.present)
    tenth, median, ninetieth, largest = row.quantiles
    return Quantiles(tenth, median, ninetieth, largest, row.present)


def _open_time(timeline: list[MeasuredExposure]) -> OpenTime:
    """Measure the open fraction and find the gaps between exposures in shutter order."""
    if not timeline:
        return OpenTime(0.0, 0.0, ())
    ends = [exposure.shutter_open + timedelta(seconds=exposure.exposure_s) for exposure in timeline]
    begins = [exposure.shutter_open for exposure in timeline]
    pauses = [(end, begin) for end, begin in zip(ends, begins[1:], strict=False) if begin > end]
    lengths = sorted(begin - end for end, begin in pauses)
    usual = lengths[len(lengths) // 2] if lengths else timedelta()
    gaps = tuple((end, begin) for end, begin in pauses if begin - end > max(PAUSE, 5 * usual))
    span = (max(ends) - begins[0]).total_seconds()
    return OpenTime(span, sum(exposure.exposure_s for exposure in timeline), gaps)


def _sky(context: Context, night: date) -> SkyFacts:
    ledger, site = context.ledger, context.site.name
    return SkyFacts(
        footprints=night_end_queries.footprints(ledger, site=site, night=night, most=MOST_FOOTPRINTS),
        alerts=night_end_queries.sky_of_alerts(ledger, site=site, night=night, most=MOST_ON_SKY),
        best=night_end_queries.best_candidates(ledger, site=site, night=night, most=MOST_STAMPS),
        tracklets=night_end_queries.tracklets(ledger, site=site, night=night, campaign=LIVE),
        tracklet_positions=night_end_queries.tracklet_positions(ledger, site=site, night=night, campaign=LIVE),
    )


def _address(context: Context, night: date) -> str:
    """Return where the page of the report is served; nothing where the settings do not say where the pages are."""
    base = context.deployment.surveys[0].report.page_url
    below = report_page(context, night).relative_to(context.depot.root / "reports")
    return f"{base}/{below.as_posix()}" if base else ""


def report_page(context: Context, night: date) -> Path:
    """Return the page's place in the depot: of a survey of several sites each has its own."""
    below = f"{context.site.name}/" if context.deployment.has_several_sites else ""
    return context.depot.report(night, f"{below}report.html")


def _title(context: Context) -> str:
    """Return the survey's title, with the site where the survey has several."""
    title = context.deployment.title
    return f"{title}, {context.site.name}" if context.deployment.has_several_sites else title


def _events(context: Context, night: date) -> list[LoudEvent]:
    site = context.site.name
    pairs = [(kind.name, end) for kind in all_event_kinds() for end in kind.ended_by]
    return night_end_queries.loud_events(
        context.ledger, site=site, night=night, subject=f"{site}/{night:%Y%m%d}",
        elsewhere=list(context.deployment.elsewhere), begins=[begins for begins, _ in pairs],
        ends=[ends for _, ends in pairs],
    )  # fmt: skip


def _kept_out(context: Context, night: date) -> list[KeptOutFrame]:
    """Return the calibration frames that masters refused, with their reason and level, by name."""
    ledger, site = context.ledger, context.site.name
    frames = night_end_queries.frames_of_night(ledger, site=site, night=night)
    by_key = {(frame.instrument, frame.exposure_id, frame.detector): frame for frame in frames}
    refused = [
        (by_key[use.instrument, use.exposure_id, use.detector], use)
        for use in night_end_queries.calibration_uses(ledger, site=site, night=night, campaign=LIVE)
        if not use.accepted
    ]
    found = (KeptOutFrame(f.inbox_name, f.image_type, f.filter, use.level, use.reason) for f, use in refused)
    return sorted(found, key=lambda frame: frame.inbox_name)


def _rejected(outcome: Verdict, units: list[UnitOfNight]) -> list[EndedUnit]:
    """Return the units that were not processed, and last those without a row: nothing of their exposure ever came."""
    known = {unit.unit_key for unit in units}
    parts = outcome.accounts.units.parts
    unheld = (
        EndedUnit(member.subject, state, member.reason, member.detail)
        for state in (UnitState.MISSING, UnitState.FAILED)
        for member in parts[state]
        if member.subject not in known
    )
    held = (
        EndedUnit(unit.unit_key, unit.state, unit.reason, unit.detail)
        for unit in units
        if unit.reason and unit.state is not UnitState.PROCESSED
    )
    return [*held, *unheld]
