"""The rhythm of nights, for Airflow's scheduler."""

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

__all__ = ["AlwaysAgain", "NightTimetable", "at_noon_of_live_days", "at_the_end_of_live_nights"]

LATE_AT_MOST = timedelta(hours=6)


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
    """One run at the end of every night, a while after sunrise.

    A run's data interval is the night, from sunset to sunrise (its noons where the Sun does not set). A run that is
    late by some hours still happens, so that no moment of asking can lose it. Nights that passed longer ago while
    nobody looked are not made up for: what they need is due by the ledger.

    Parameters
    ----------
    site : Site
        Carried along, so that the scheduler needs no settings.
    delay_s : float
        From sunrise to the run.
    """

    def __init__(self, site: Site, *, delay_s: float = 3600.0):
        self.site = site
        self.delay_s = delay_s

    def serialize(self) -> dict[str, Any]:
        """Return what makes this timetable again."""
        return {"site": self.site.model_dump(mode="json"), "delay_s": self.delay_s}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "NightTimetable":
        """Make a timetable again."""
        return cls(Site.model_validate(data["site"]), delay_s=data["delay_s"])

    @property
    def summary(self) -> str:
        """What the page says of it."""
        return f"end of night at {self.site.name}"

    def night(self, night: date) -> tuple[datetime, datetime]:
        """Return when a night begins and ends, to the second."""
        times = sunset_and_sunrise(self.site, night) or night_bounds(self.site, night)
        begins, ends = (moment.replace(microsecond=0) for moment in times)
        return begins, ends

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the night that has ended last before a moment."""
        night = night_of(self.site, run_after)
        while self.night(night)[1] > run_after:
            night -= timedelta(days=1)
        return DataInterval(*map(pendulum.instance, self.night(night)))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the end of the night after the last that was run, or of one that ended lately or ends next."""
        after = datetime.now(UTC) - LATE_AT_MOST
        if last_automated_data_interval is not None:
            after = max(after, last_automated_data_interval.end + timedelta(seconds=self.delay_s))
        if restriction.earliest is not None:
            after = max(after, restriction.earliest)
        night = night_of(self.site, after) - timedelta(days=1)
        while True:
            begins, ends = self.night(night)
            run_after = ends + timedelta(seconds=self.delay_s)
            if run_after > after:
                break
            night += timedelta(days=1)
        if restriction.latest is not None and run_after > restriction.latest:
            return None
        interval = DataInterval(pendulum.instance(begins), pendulum.instance(ends))
        return DagRunInfo(run_after=pendulum.instance(run_after), data_interval=interval)


def at_the_end_of_live_nights() -> NightTimetable | None:
    """Return the timetable of the survey's nights while they are live; a replayed night ends by its manifest."""
    from nightshift.context import survey_from_environment

    if not isinstance(clock_from_environment(), SystemClock):
        return None
    return NightTimetable(survey_from_environment().site)


def at_noon_of_live_days() -> CronTriggerTimetable | None:
    """Return the timetable of what is done once a day between two nights; a replayed night is not disturbed by it."""
    from nightshift.context import survey_from_environment

    if not isinstance(clock_from_environment(), SystemClock):
        return None
    return CronTriggerTimetable("0 12 * * *", timezone=survey_from_environment().site.time_zone)
