"""Differences of frames that were taken before their reference came into service."""

from nightshift.kinds.kind import Kind

__all__ = ["KIND"]

KIND = Kind(
    name="difference",
    says="Calibrated quadrants, differenced against a reference that came after them.",
    package=__name__,
    key=("instrument", "exposure_id", "version"),
    workflows=("difference",),
    settings=(
        "reduction",
        "alerts.at_most_per_unit",
    ),
    urgency=40,
    of_exposure=True,
    holds_night=True,
)
