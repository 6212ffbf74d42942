"""Master biases, darks and flats, one a quadrant, of the calibration frames of a night."""

from nightshift.kinds.kind import Kind, Rank

__all__ = ["KIND"]

KIND = Kind(
    name="master",
    says="One quadrant's master bias, dark or flat.",
    package=__name__,
    key=("instrument", "night", "kind", "filter", "version"),
    workflows=("calibrations",),
    settings=(
        "camera.detectors",
        "camera.quadrants",
        "camera.amplifiers",
        "camera.crosstalk",
        "camera.mask_edge_px",
        "camera.leave_out",
        "calibration.at_least_frames",
        "calibration.flat_level_adu",
        "calibration.flat_ramp_tolerance",
        "calibration.dark_current",
        "calibration.saturated_fraction",
        "calibration.unlike_fraction",
        "calibration.unlike_sigma",
        "calibration.gain_apart",
        "calibration.read_noise_apart",
    ),
    rank=Rank.CALIBRATION,
    urgency=10,
    lasting=True,
)
