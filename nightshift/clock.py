"""Time is given, never taken.

Whoever needs to know what time of the night it is gets a clock. A live night has the system's; an archived
or simulated night has one that starts at the night's afternoon and runs faster, so that the night replays in
minutes. Durations that protect machines (deadlines, leases, heartbeats) are always in real seconds.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["MJD_EPOCH", "Clock", "ReplayClock", "SystemClock", "clock_from_environment", "clock_from_text"]

VARIABLE = "NIGHTSHIFT_CLOCK"
MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)  # day 0 of the modified Julian date


class Clock(Protocol):
    """Anything that says what time of the night it is."""

    def now(self) -> datetime:
        """Return the night's time, aware, in UTC."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The machine's own clock, for a live night."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class ReplayClock:
    """A clock that was set to a moment of another night and runs at its own rate.

    Parameters
    ----------
    real : datetime
        The machine's time at which the replay began (aware).
    night : datetime
        The night's time at that moment (aware).
    rate : float
        Seconds of the night in one real second.
    """

    real: datetime
    night: datetime
    rate: float = 1.0

    def now(self) -> datetime:
        """Return the night's time in UTC."""
        elapsed = (datetime.now(UTC) - self.real).total_seconds()
        return self.night + timedelta(seconds=elapsed * self.rate)

    def to_text(self) -> str:
        """Return the form that `clock_from_environment` reads."""
        return f"{self.real.isoformat()}={self.night.isoformat()}*{self.rate!r}"


def clock_from_environment() -> Clock:
    """Return the clock that ``NIGHTSHIFT_CLOCK`` names.

    Unset or ``system`` means the machine's own. A replay is written
    ``<real ISO time>=<night ISO time>*<rate>``.

    Raises
    ------
    ValueError
        If the variable does not read.
    """
    return clock_from_text(os.environ.get(VARIABLE, "system"))


def clock_from_text(text: str) -> Clock:
    """Return the clock that a text names; see `clock_from_environment`."""
    if text == "system":
        return SystemClock()
    try:
        real, rest = text.split("=", 1)
        night, rate = rest.rsplit("*", 1)
        clock = ReplayClock(datetime.fromisoformat(real), datetime.fromisoformat(night), float(rate))
    except ValueError as error:
        raise ValueError(
            f"{VARIABLE}={text!r}: write 'system' or '<real ISO time>=<night ISO time>*<rate>'"
        ) from error
    if clock.real.tzinfo is None or clock.night.tzinfo is None or not clock.rate > 0:
        raise ValueError(f"{VARIABLE}={text!r}: both times need an offset from UTC and the rate must be > 0")
    return clock
