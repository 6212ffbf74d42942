"""What is watched while a night is open, and from where on somebody is told."""

from typing import Annotated

from pydantic import Field as Key

from nightshift.settings.base_table import Positive, Table

__all__ = ["NightWatchPolicy"]

Share = Annotated[float, Key(ge=0, le=1)]

# --- policy.toml -------------------------------------------------------------------------------------------


class NightWatchPolicy(Table):
    """When something about the night that is open is told at once, rather than in the morning's mail."""

    look_every_s: Positive = 60.0  # from one look to the next, in real seconds
    no_file_s: Positive = 1800.0  # without a file while it is dark, in real seconds
    exposures: Annotated[int, Key(ge=2)] = 6  # the last ones of the night, which are looked at
    nights_before: Annotated[int, Key(ge=1)] = 14  # whose images tell what is usual
    clouds_mag: Positive = 0.5  # by which the zero point lies below what is usual
    fwhm_times: Annotated[float, Key(gt=1)] = 1.6  # as wide as is usual
    background_times: Annotated[float, Key(gt=1)] = 5.0  # as bright as is usual
    astrometry_failures: Share = 0.3  # of quadrants whose stars do not match the catalogue
    thousands_fraction: Share = 0.2  # of a detector's pixels that are 1000: the camera is to be restarted
