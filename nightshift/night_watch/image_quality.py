"""Whether the images are as usual: clouds, wide stars, a bright sky, against the nights before."""

from collections.abc import Iterator, Mapping
from statistics import median

from nightshift.keys import LIVE
from nightshift.ledger.queries import night_report as report_queries
from nightshift.ledger.queries import night_watch as queries
from nightshift.night_watch.watches import Alarm, OpenNight, watch
from nightshift.vocabulary import EventLevel, Tier

__all__ = ["bright_sky", "clouds", "wide_stars"]

NAMES = ("zero_point_zenith", "fwhm_px", "background")
Medians = Mapping[tuple[str, str], float]  # by filter and measurement


@watch("clouds", over="clouds_gone", over_message="The zero point is as usual again.", level=EventLevel.WARNING)
def clouds(watched: OpenNight) -> Iterator[Alarm]:
    """Tell of a zero point that lies far below what is usual."""
    for name, now, usual in _both(watched, "zero_point_zenith"):
        if usual - now > watched.policy.clouds_mag:
            yield Alarm(
                name, f"Clouds: the zero point of {name} is {usual - now:.1f} mag below that of the nights before."
            )


@watch("images_wide", over="images_sharp", over_message="Stars are as wide as usual again.", level=EventLevel.WARNING)
def wide_stars(watched: OpenNight) -> Iterator[Alarm]:
    """Tell of stars that are far wider than usual: the focus, the guiding, or the seeing."""
    for name, now, usual in _both(watched, "fwhm_px"):
        if now > watched.policy.fwhm_times * usual:
            yield Alarm(
                name,
                f"Stars of {name} are {now:.1f} px wide (FWHM), usually {usual:.1f}: look at focus and guiding.",
            )


@watch("sky_bright", over="sky_dark", over_message="The sky is as dark as usual again.", level=EventLevel.WARNING)
def bright_sky(watched: OpenNight) -> Iterator[Alarm]:
    """Tell of a sky that is far brighter than usual: a lamp, the Moon, twilight."""
    for name, now, usual in _both(watched, "background"):
        if usual > 0 and now > watched.policy.background_times * usual:
            yield Alarm(
                name, f"The sky of {name} has {now:.0f} e⁻ a pixel, usually {usual:.0f}: is a light on in the dome?"
            )


def _both(watched: OpenNight, measurement: str) -> Iterator[tuple[str, float, float]]:
    """Give instrument and filter, what its last images measure, and what is usual."""
    instrument = watched.context.survey.camera.instrument
    usual = _usual(watched, instrument)
    rows = queries.recent_medians(
        watched.context.ledger, instrument=instrument, night=watched.night, exposures=watched.policy.exposures,
        names=[measurement], at_least=2, tier=Tier.PROCESSED, campaign=LIVE,
    )  # fmt: skip
    for row in rows:
        if (row.filter, measurement) in usual:
            yield f"{instrument} {row.filter}".strip(), row.median, usual[row.filter, measurement]


def _usual(watched: OpenNight, instrument: str) -> Medians:
    """Return the medians of the nights before; they are worked out once a night."""
    ledger, night = watched.context.ledger, watched.night
    rows = queries.usual_of_night(ledger, instrument=instrument, night=night)
    if not rows and _keep_usual(watched, instrument):
        rows = queries.usual_of_night(ledger, instrument=instrument, night=night)
    return {(row.filter, row.name): row.median for row in rows}


def _keep_usual(watched: OpenNight, instrument: str) -> bool:
    """Work out what is usual and keep it; whether there is anything."""
    ledger, night = watched.context.ledger, watched.night
    before = report_queries.nights_before(
        ledger, instrument=instrument, night=night, most=watched.policy.nights_before
    )
    if not before:
        return False
    found: dict[tuple[str, str], list[float]] = {}
    for row in report_queries.measurements_of_nights(
        ledger, instrument=instrument, nights=[row.night for row in before], names=list(NAMES), tier=Tier.PROCESSED,
        campaign=LIVE,
    ):  # fmt: skip
        if row.median is not None:
            found.setdefault((row.filter, row.name), []).append(row.median)
    with ledger.transaction():
        queries.forget_usual(ledger, instrument=instrument, night=night)
        for (filter_name, name), values in found.items():
            queries.put_usual(
                ledger, instrument=instrument, night=night, filter=filter_name, measurement=name,
                median=median(values), nights=len(values),
            )  # fmt: skip
    return bool(found)
