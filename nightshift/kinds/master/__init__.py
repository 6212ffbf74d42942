"""Master biases, darks and flats, one a quadrant, of the calibration frames of a night."""

from nightshift.kinds.kind import Kind, Rank

__all__ = ["KIND"]

KIND = Kind(
    name="master",
    says="One quadrant's master bias, dark or flat.",
    package=__name__,
    key=("instrument", "night", "kind", "filter", "version"),
    workflows=("calibrations",),
    rank=Rank.CALIBRATION,
    urgency=10,
)
