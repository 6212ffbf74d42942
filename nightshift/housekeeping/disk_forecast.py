"""When a disk will be full, from how its free space went over the last days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np

__all__ = ["LEAST_DAYS", "Forecast", "forecast"]

LEAST_DAYS = 4  # fewer say nothing of a rate
DAY_S = 86400.0
NOTHING = 1e-4  # of the disk a day: slower counts as not at all


@dataclass(frozen=True)
class Forecast:
    """How a disk goes on at the rate of the last days.

    Parameters
    ----------
    days : float or None
        Until it is full; None where it does not fill, or nothing is known.
    earliest, latest : float or None
        The same by the fast and the slow rates among the last days (16th and 84th percentile).
    bytes_a_day : float or None
        By which it fills; negative where it empties; None: nothing is known yet.
    samples : int
        Days that the rate was made from.
    """

    days: float | None
    earliest: float | None
    latest: float | None
    bytes_a_day: float | None
    samples: int

    def __str__(self) -> str:
        if self.bytes_a_day is None:
            return f"known after {LEAST_DAYS} days; {self.samples} are"
        if self.days is None:
            return "does not fill" if self.earliest is None else f"not before {self.earliest:.0f} days"
        latest = "never" if self.latest is None else f"{self.latest:.0f}"
        return f"full in {self.days:.0f} days ({self.earliest:.0f} to {latest})"


def forecast(samples: Sequence[tuple[datetime, int]], *, total_bytes: int) -> Forecast:
    """Return when a disk will be full.

    The rate is the median over all pairs of days (Theil and Sen), so that one night that was cleared up, or one of
    many exposures, does not decide it.

    Parameters
    ----------
    samples : sequence of (datetime, int)
        Moment and free bytes, one a day, in their order.
    total_bytes : int
        Of the disk.
    """
    if len(samples) < LEAST_DAYS:
        return Forecast(None, None, None, None, len(samples))
    rates = np.array([
        (before - after) / ((later - earlier).total_seconds() / DAY_S)
        for (earlier, before), (later, after) in combinations(samples, 2)
        if later > earlier
    ])  # fmt: skip
    slow, middle, fast = np.quantile(rates, (0.16, 0.5, 0.84))
    free = samples[-1][1]

    def days(rate: float) -> float | None:
        return free / rate if rate > NOTHING * total_bytes else None

    return Forecast(days(middle), days(fast), days(slow), float(middle), len(samples))
