"""How much room and time a night takes: measured on the nights before, or a guess that says that it is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import prod

from nightshift.context import Context
from nightshift.ledger.queries import plan as plan_queries
from nightshift.ledger.queries.plan import AttemptCost
from nightshift.settings import Survey
from nightshift.vocabulary import ImageType

__all__ = ["KindCost", "Room", "night_costs", "room_of_night"]

BYTES_A_PIXEL = 2  # of a raw image
PRODUCTS_PER_RAW = 4.0  # bytes made of a byte of raw images: a guess for the first night
CALIBRATION_FRAMES = 30  # of an instrument: a guess for the first night


@dataclass(frozen=True)
class KindCost:
    """What the units of one kind of work take.

    Parameters
    ----------
    kind : str
    units : int
        Of the night.
    cpu_s, wall_s, memory_mb : float
        Of one unit.
    told_by : str
        Of how many attempts it is the median, or from what it is guessed.
    is_guess : bool
    """

    kind: str
    units: int
    cpu_s: float
    wall_s: float
    memory_mb: float
    told_by: str
    is_guess: bool

    @property
    def cpu_hours(self) -> float:
        """Of all units of the night."""
        return self.units * self.cpu_s / 3600


@dataclass(frozen=True)
class Room:
    """How many bytes a night takes.

    Parameters
    ----------
    raw_bytes, product_bytes : float
    told_by : str
    is_guess : bool
    """

    raw_bytes: float
    product_bytes: float
    told_by: str
    is_guess: bool

    @property
    def bytes(self) -> float:
        """All of them."""
        return self.raw_bytes + self.product_bytes


def night_costs(context: Context, night: date, units: dict[str, int]) -> list[KindCost]:
    """Return what each kind of work takes, for the units that are planned of it.

    Parameters
    ----------
    context : Context
        Of the site.
    night : date
    units : dict of str to int
        By kind of work.
    """
    survey = context.deployment.surveys[0]
    rows = plan_queries.attempt_costs(
        context.ledger, site=context.site.name, first=night - timedelta(days=survey.plan.nights), night=night
    )
    measured = {row.kind: row for row in rows}
    return [_cost(survey, kind, count, measured.get(kind)) for kind, count in units.items()]


def _cost(survey: Survey, kind: str, units: int, row: AttemptCost | None) -> KindCost:
    if row is not None and row.wall_s is not None:
        told_by = f"median of {row.attempts} attempts"
        cpu_s = row.wall_s if row.cpu_s is None else row.cpu_s
        return KindCost(kind, units, cpu_s, row.wall_s, row.memory_mb or 0.0, told_by, is_guess=False)
    profile = survey.profile(kind)
    told_by = f"a guess: at most profiles.{kind}.time_s"
    return KindCost(kind, units, profile.time_s, profile.time_s, profile.memory_mb, told_by, is_guess=True)


def room_of_night(context: Context, night: date, exposures: dict[str, int]) -> Room:
    """Return how many bytes a night takes.

    Parameters
    ----------
    context : Context
        Of the site.
    night : date
    exposures : dict of str to int
        Science exposures that are planned, by instrument.
    """
    first = night - timedelta(days=context.deployment.surveys[0].plan.nights)
    raw, science_before, guessed = 0.0, 0, []
    for own in context.instruments():
        instrument = own.survey.camera.instrument
        rows = plan_queries.raw_sizes(own.ledger, site=own.site.name, instrument=instrument, first=first, night=night)
        science = [row for row in rows if row.image_type is ImageType.SCIENCE]
        if not science:
            guessed.append(instrument)
            raw += (exposures[instrument] + CALIBRATION_FRAMES) * raw_bytes_of_exposure(own.survey)
            continue
        science_before += science[0].exposures
        raw += exposures[instrument] * science[0].bytes / science[0].exposures
        raw += sum(row.bytes / row.nights for row in rows if row.image_type is not ImageType.SCIENCE)
    made = sum(
        row.bytes
        for row in plan_queries.product_sizes(context.ledger, site=context.site.name, first=first, night=night)
    )
    if guessed or not made:
        told_by = (
            f"a guess: {BYTES_A_PIXEL} bytes a raw pixel, {CALIBRATION_FRAMES} calibration frames, and "
            f"{PRODUCTS_PER_RAW:g} bytes made of each raw byte"
        )
        return Room(raw, PRODUCTS_PER_RAW * raw, told_by, is_guess=True)
    products = made / science_before * sum(exposures.values())
    told_by = f"bytes a file of {science_before} science exposures of the nights before"
    return Room(raw, products, told_by, is_guess=False)


def raw_bytes_of_exposure(survey: Survey) -> float:
    """Return the bytes of one exposure's raw images, without any packing."""
    pixels: Sequence[int] = [prod(quadrant.shape) for quadrant in survey.camera.quadrants]
    return float(BYTES_A_PIXEL * len(survey.camera.detector_ids) * sum(pixels))
