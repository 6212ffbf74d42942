"""The rhythm of nights, for Airflow's scheduler."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.timetables.simple import ContinuousTimetable
from airflow.timetables.trigger import CronTriggerTimetable

from nightshift.clock import SystemClock, clock_from_environment
from nightshift.nights import night_bounds, night_of
from nightshift.settings.models import Site
from nightshift.sun import sunset_and_sunrise

__all__ = [
    "AfternoonTimetable",
    "AlwaysAgain",
    "NightTimetable",
    "at_noon_of_live_days",
    "at_noon_once_a_week",
    "at_the_end_of_live_nights",
    "before_live_nights",
    "every_quarter_of_live_hours",
    "night_begun_at",
    "night_ended_at",
    "night_times",
    "while_copies_are_made",
]

LATE_AT_MOST = timedelta(hours=6)
COPIES_EVERY = timedelta(minutes=5)


class AlwaysAgain(ContinuousTimetable):
    """One run after the other, as Airflow's ``@continuous``, also after the machine's clock was set back.

    Airflow's own would then begin again at the DAG's first moment, for which there is a run already, and so make
    none until the clock has caught up.
    """

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run from the end of the last one until now; where that lies ahead, one of now."""
        now = pendulum.now("UTC")
        if last_automated_data_interval is not None and last_automated_data_interval.end > now:
            return DagRunInfo.exact(now)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


class NightTimetable(Timetable):
    """One run at the end of every night of every site, a while after sunrise there.

    A run's data interval is the night, from sunset to sunrise (its noons where the Sun does not set). A run that is
    late by some hours still happens, so that no moment of asking can lose it. Nights that passed longer ago while
    nobody looked are not made up for: what they need is due by the ledger.

    Parameters
    ----------
    sites : iterable of Site
        Carried along, so that the scheduler needs no settings.
    delay_s : float
        From sunrise to the run.
    """

    def __init__(self, sites: Iterable[Site], *, delay_s: float = 3600.0):
        self.sites = tuple(sites)
        self.delay_s = delay_s

    def serialize(self) -> dict[str, Any]:
        """Return what makes this timetable again."""
        return {"sites": [site.model_dump(mode="json") for site in self.sites], "delay_s": self.delay_s}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "NightTimetable":
        """Make a timetable again."""
        return cls(map(Site.model_validate, data["sites"]), delay_s=data["delay_s"])

    @property
    def summary(self) -> str:
        """What the page says of it."""
        return f"end of night at {', '.join(site.name for site in self.sites)}"

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the night that has ended last before a moment, at whichever site."""
        return DataInterval(*map(pendulum.instance, max(_last_ended(site, run_after) for site in self.sites)[::-1]))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the end of the night after the last that was run, or of one that ended lately or ends next."""
        after = datetime.now(UTC) - LATE_AT_MOST
        if last_automated_data_interval is not None:
            after = max(after, last_automated_data_interval.end + timedelta(seconds=self.delay_s))
        if restriction.earliest is not None:
            after = max(after, restriction.earliest)
        ends, begins = min(_next_to_end(site, after - timedelta(seconds=self.delay_s)) for site in self.sites)
        run_after = ends + timedelta(seconds=self.delay_s)
        if restriction.latest is not None and run_after > restriction.latest:
            return None
        interval = DataInterval(pendulum.instance(begins), pendulum.instance(ends))
        return DagRunInfo(run_after=pendulum.instance(run_after), data_interval=interval)


class AfternoonTimetable(Timetable):
    """One run before every night of every site, some hours before sunset there.

    A run's data interval is from then until sunset. Where the Sun does not set, it is the night's noon. A run that is
    late by less than these hours still happens; afternoons that passed longer ago are not made up for.

    Parameters
    ----------
    sites : iterable of Site
        Carried along, so that the scheduler needs no settings.
    hours_before_sunset : dict of str to float
        By the sites' names.
    """

    def __init__(self, sites: Iterable[Site], *, hours_before_sunset: Mapping[str, float]):
        self.sites = tuple(sites)
        self.hours_before_sunset = dict(hours_before_sunset)

    def serialize(self) -> dict[str, Any]:
        """Return what makes this timetable again."""
        sites = [site.model_dump(mode="json") for site in self.sites]
        return {"sites": sites, "hours_before_sunset": self.hours_before_sunset}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "AfternoonTimetable":
        """Make a timetable again."""
        sites = map(Site.model_validate, data["sites"])
        return cls(sites, hours_before_sunset=data["hours_before_sunset"])

    @property
    def summary(self) -> str:
        """What the page says of it."""
        return f"before the night at {', '.join(site.name for site in self.sites)}"

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the afternoon of the night that a moment belongs to, at the first site."""
        return self._interval(self.sites[0], night_of(self.sites[0], run_after))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the afternoon after the last that was run, or the one that is now or comes next."""
        now, after = datetime.now(UTC), restriction.earliest
        if last_automated_data_interval is not None:
            after = max(after or last_automated_data_interval.start, last_automated_data_interval.start)
        found = min((self._next(site, now, after) for site in self.sites), key=lambda interval: interval.start)
        if restriction.latest is not None and found.start > restriction.latest:
            return None
        return DagRunInfo(run_after=found.start, data_interval=found)

    def _next(self, site: Site, now: datetime, after: datetime | None) -> DataInterval:
        """Return the first afternoon of a site that begins after a moment and is not over."""
        night = night_of(site, max(now, after) if after else now) - timedelta(days=1)
        while True:
            interval = self._interval(site, night)
            if interval.end >= now and (after is None or interval.start > after):
                return interval
            night += timedelta(days=1)

    def _interval(self, site: Site, night: date) -> DataInterval:
        noon, sunset = night_bounds(site, night)[0], night_times(site, night)[0]
        begins = max(noon, sunset - timedelta(hours=self.hours_before_sunset[site.name]))
        return DataInterval(pendulum.instance(begins), pendulum.instance(sunset))


def night_times(site: Site, night: date) -> tuple[datetime, datetime]:
    """Return when a site's night begins and ends, to the second."""
    times = sunset_and_sunrise(site, night) or night_bounds(site, night)
    begins, ends = (moment.replace(microsecond=0) for moment in times)
    return begins, ends


def _last_ended(site: Site, moment: datetime) -> tuple[datetime, datetime]:
    """Return end and begin of the night of a site that has ended last at a moment."""
    night = night_of(site, moment)
    while night_times(site, night)[1] > moment:
        night -= timedelta(days=1)
    begins, ends = night_times(site, night)
    return ends, begins


def _next_to_end(site: Site, moment: datetime) -> tuple[datetime, datetime]:
    """Return end and begin of the first night of a site that ends after a moment."""
    night = night_of(site, moment) - timedelta(days=1)
    while night_times(site, night)[1] <= moment:
        night += timedelta(days=1)
    begins, ends = night_times(site, night)
    return ends, begins


def night_ended_at(sites: Iterable[Site], moment: datetime) -> tuple[str, date]:
    """Return the site and night of the run whose data interval ended at a moment.

    Where two sites have the same sunrise to the second, the first of them has the run, and the other's night closes
    by its manifest or its noon.
    """

    def away(site: Site) -> timedelta:
        return abs(night_times(site, night_of(site, moment))[1] - moment)

    site = min(sites, key=away)
    return site.name, night_of(site, moment)


def night_begun_at(sites: Iterable[Site], moment: datetime) -> tuple[str, date]:
    """Return the site and night of the run whose data interval ended at a moment: the night's sunset."""

    def away(site: Site) -> timedelta:
        return abs(night_times(site, night_of(site, moment))[0] - moment)

    site = min(sites, key=away)
    return site.name, night_of(site, moment)


def before_live_nights() -> AfternoonTimetable | None:
    """Return the timetable of the checks before a survey's nights while they are live; a replayed night has none."""
    from nightshift.context import deployment_from_environment

    if not isinstance(clock_from_environment(), SystemClock):
        return None
    deployment = deployment_from_environment()
    hours = {survey.site.name: survey.preflight.hours_before_sunset for survey in deployment.surveys}
    return AfternoonTimetable(deployment.sites, hours_before_sunset=hours)


def at_the_end_of_live_nights() -> NightTimetable | None:
    """Return the timetable of the survey's nights while they are live; a replayed night ends by its manifest."""
    from nightshift.context import deployment_from_environment

    if not isinstance(clock_from_environment(), SystemClock):
        return None
    return NightTimetable(deployment_from_environment().sites)


def at_noon_of_live_days() -> CronTriggerTimetable | None:
    """Return the timetable of what is done once a day between two nights; a replayed night is not disturbed by it.

    Of several sites the first one's noon serves: what is done then is done for all of them.
    """
    return _live_cron("0 12 * * *")


def at_noon_once_a_week() -> CronTriggerTimetable | None:
    """Return the timetable of what is done once a week, on Wednesdays, when somebody is there to mend what fails."""
    return _live_cron("0 12 * * 3")


def every_quarter_of_live_hours() -> CronTriggerTimetable | None:
    """Return the timetable of what is looked at four times an hour; a replayed night is not disturbed by it."""
    return _live_cron("*/15 * * * *")


def _live_cron(cron: str) -> CronTriggerTimetable | None:
    from nightshift.context import deployment_from_environment

    if not isinstance(clock_from_environment(), SystemClock):
        return None
    return CronTriggerTimetable(cron, timezone=deployment_from_environment().sites[0].time_zone)


def while_copies_are_made() -> timedelta | None:
    """Return how often second copies are looked after; None where the settings name no place for them."""
    from nightshift.context import deployment_from_environment

    return COPIES_EVERY if any(survey.copies.to for survey in deployment_from_environment().surveys) else None
