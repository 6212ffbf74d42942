"""Science exposures: calibrate, measure, and difference where a reference is there."""

from nightshift.kinds.kind import Kind

__all__ = ["KIND"]

KIND = Kind(
    name="science",
    says="One detector's file: calibrated, measured, and differenced where a reference is there.",
    package=__name__,
    key=("instrument", "exposure_id"),
    workflows=("exposure",),
    settings=(
        "camera.detectors",
        "camera.quadrants",
        "camera.amplifiers",
        "camera.crosstalk",
        "camera.mask_edge_px",
        "camera.leave_out",
        "camera.pixel_scale_arcsec",
        "camera.parity",
        "camera.rotation_deg",
        "camera.wcs",
        "camera.astrometry_indexes",
        "sky.filters",
        "calibration.gain_apart",
        "calibration.read_noise_apart",
        "reduction",
        "thresholds",
        "alerts.at_most_per_unit",
    ),
    urgency=30,
    of_exposure=True,
    real_time=True,
)
