"""What the afternoon's checks compare with, and what the plan of a night goes by."""

from typing import Annotated

from pydantic import Field as Key
from pydantic import model_validator

from nightshift.settings.base_table import Positive, Table

__all__ = ["PlanPolicy", "PreflightPolicy"]

# --- policy.toml -------------------------------------------------------------------------------------------


class PreflightPolicy(Table):
    """The checks of the afternoon: one table for all instruments of a site."""

    hours_before_sunset: Annotated[float, Key(gt=0, le=12)] = 3.0  # when the checks of a live survey run
    check_s: Positive = 20.0  # a check without an answer by then is given up: unknown, never green
    room_factor: Annotated[float, Key(ge=1)] = 1.5  # less free than so many times what the night takes is yellow
    clock_warn_s: Positive = 0.5  # a clock that differs by more from another one is yellow
    clock_fail_s: Positive = 2.0  # and by more than this red
    catalogue_days: Annotated[int, Key(ge=1)] | None = None  # an older catalogue is yellow; none: age does not count
    ephemeris: str | None = None  # file of the ephemeris, where the survey uses one
    ephemeris_days: Annotated[int, Key(ge=1)] = 14  # an older one is yellow
    backup_warn_hours: Positive = 30.0  # a last good backup of the ledger older than this is yellow
    backup_fail_hours: Positive = 78.0  # and older than this red
    needs_variables: tuple[str, ...] = ()  # of the environment: secrets without which the night cannot be run

    @model_validator(mode="after")
    def _warn_before_fail(self) -> "PreflightPolicy":
        if self.clock_warn_s > self.clock_fail_s or self.backup_warn_hours > self.backup_fail_hours:
            raise ValueError("clock_warn_s must not exceed clock_fail_s, nor backup_warn_hours backup_fail_hours")
        return self


class PlanPolicy(Table):
    """What the plan of a night goes by where no schedule says what is taken."""

    schedule: str | None = None  # file with time, field, filter and exposure time; {night} in it is as 20260131
    nights: Annotated[int, Key(ge=1, le=60)] = 7  # before this one that sizes, times and the cadence are taken from
    sun_altitude_deg: Annotated[float, Key(ge=-18, le=0)] = -12.0  # exposures are expected while it is below this
    airmass_at_most: Annotated[float, Key(gt=1, le=10)] = 2.0  # a field is up while its airmass is less
    first_cadence_s: Positive = 60.0  # from one exposure to the next: a guess for a survey's first night
