"""Whether the site's place, its time zone and the frames' times fit together."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from nightshift.settings import Survey
from nightshift.sun import sun_altitude_deg
from nightshift.trial_reduction.frames import TrialFrame, science_frames
from nightshift.trial_reduction.remarks import Remark, error, good, warning

__all__ = ["check_times"]

ZONE_APART_H = 3.5  # clocks of the western end of China, of one zone, are 3.2 hours ahead of their Sun
DARK_BELOW_DEG = -6.0  # no science frame is taken before the end of civil twilight


def check_times(survey: Survey, frames: Sequence[TrialFrame]) -> Iterator[Remark]:
    """Yield what is wrong with the time zone, the longitude or the times of the frames.

    Parameters
    ----------
    survey : Survey
    frames : sequence of TrialFrame
        At least one.
    """
    yield _zone_against_longitude(survey, frames[0].frame.header.shutter_open)
    taken = science_frames(frames)
    if taken:
        yield _sun_above_science(survey, taken)


def _zone_against_longitude(survey: Survey, moment: datetime) -> Remark:
    site = survey.site
    offset = moment.astimezone(ZoneInfo(site.time_zone)).utcoffset()
    assert offset is not None
    by_zone, by_longitude = offset.total_seconds() / 3600, site.longitude_deg / 15
    apart = (by_zone - by_longitude + 12) % 24 - 12
    if abs(apart) <= ZONE_APART_H:
        return good(f"the time zone {site.time_zone} fits the longitude {site.longitude_deg:+.2f} deg")
    return error(
        survey,
        f"clocks of {site.time_zone} and the Sun at longitude {site.longitude_deg:+.2f} deg are {abs(apart):.1f} "
        "hours apart, so that a night would not run from noon to noon; longitudes east of Greenwich are positive",
        "site.toml", "site.time_zone, site.longitude_deg",
    )  # fmt: skip


def _sun_above_science(survey: Survey, taken: Sequence[TrialFrame]) -> Remark:
    altitudes = [sun_altitude_deg(survey.site, item.frame.header.shutter_open) for item in taken]
    bright = [(item, high) for item, high in zip(taken, altitudes, strict=True) if high > DARK_BELOW_DEG]
    if not bright:
        return good(f"all {len(taken)} science frames were taken in the dark")
    worst, high = max(bright, key=lambda pair: pair[1])
    text = (
        f"{len(bright)} of {len(taken)} science frames were taken with the Sun above {DARK_BELOW_DEG:g} deg by these "
        f"settings: {worst.path.name} at {worst.frame.header.shutter_open:%Y-%m-%d %H:%M} UTC, the Sun at "
        f"{high:+.0f} deg. The time's keywords, the latitude or the longitude may be wrong, or the time is local"
    )
    if 2 * len(bright) > len(taken):
        return error(survey, text, "camera.toml", "camera.header.date, camera.header.time")
    return warning(survey, text, "camera.toml", "camera.header.date, camera.header.time")
