"""Science exposures: calibrate, measure, and difference where a reference is there."""

from nightshift.kinds.kind import Kind

__all__ = ["KIND"]

KIND = Kind(
    name="science",
    says="One detector's file: calibrated, measured, and differenced where a reference is there.",
    package=__name__,
    key=("instrument", "exposure_id"),
    workflows=("exposure",),
    urgency=30,
    of_exposure=True,
    real_time=True,
)
