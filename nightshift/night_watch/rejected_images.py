"""Whether images are rejected one after the other for one cause that somebody can mend now."""

from collections.abc import Iterator

from nightshift.keys import LIVE
from nightshift.ledger.queries import night_watch as queries
from nightshift.night_watch.watches import Alarm, OpenNight, watch
from nightshift.vocabulary import Reason, Tier

__all__ = ["astrometry_failures", "only_thousands"]


@watch("astrometry_fails", over="astrometry_works", over_message="The stars match the catalogue again.")
def astrometry_failures(watched: OpenNight) -> Iterator[Alarm]:
    """Tell of an instrument of which too many quadrants do not match the catalogue."""
    instrument = watched.context.survey.camera.instrument
    rows = queries.recent_reasons(
        watched.context.ledger, instrument=instrument, night=watched.night, exposures=watched.policy.exposures,
        tier=Tier.PROCESSED, campaign=LIVE,
    )  # fmt: skip
    units = sum(row.units for row in rows)
    failed = [row for row in rows if row.reason == Reason.ASTROMETRY_FAILED]
    number = sum(row.units for row in failed)
    several = any(row.exposures > 1 for row in failed)  # one bad exposure is told in the morning
    if several and number > watched.policy.astrometry_failures * units:
        yield Alarm(
            instrument,
            f"Of the last {units} quadrants of {instrument} the stars of {number} do not match the catalogue where "
            "the telescope says it pointed: look at its pointing, its clock and the catalogue.",
        )


@watch("camera_writes_thousands", over="camera_writes_again", over_message="It writes images again.")
def only_thousands(watched: OpenNight) -> Iterator[Alarm]:
    """Tell of each detector whose frames hold little but the value 1000 (BANZAI's thousands test)."""
    instrument = watched.context.survey.camera.instrument
    rows = queries.detectors_above(
        watched.context.ledger, instrument=instrument, night=watched.night, exposures=watched.policy.exposures,
        measurement="thousands_fraction", bound=watched.policy.thousands_fraction, tier=Tier.PROCESSED, campaign=LIVE,
    )  # fmt: skip
    for row in rows:
        name = f"{instrument}/d{row.detector:02d}"
        yield Alarm(
            name,
            f"At least {row.least:.0%} of the pixels of {name} were exactly 1000 in the last {row.exposures} "
            "exposures: restart the camera.",
        )
