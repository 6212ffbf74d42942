"""What an image is measured for: one entry a measurement, from which everything that judges or shows it is made.

The names that a threshold may have, the reason of an image that breaks one, the ledger's columns, the tables and
panels of the morning's report, the page of a quadrant and ``docs/measurements.md`` are all made from `MEASUREMENTS`.
A step that notes a number under a name adds an entry here and nothing else (``docs/extending.md``).

The order is that of causes: what stands first explains what follows. Of several bounds that an image breaks, the
first gives the reason of its rejection.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from nightshift.vocabulary.reasons import Reason

__all__ = [
    "COUNT",
    "FRACTION",
    "MailColumn",
    "MailTable",
    "Measurement",
    "Panel",
    "Summary",
    "all_measurements",
    "bounded_measurements",
    "measurement_named",
    "panels",
]

FRACTION = "fraction"  # unit of a share of the pixels
COUNT = "count"  # unit of a whole number


class MailTable(StrEnum):
    """A table of the morning's report that shows measurements, by filter."""

    QUALITY = "Image quality"
    """What an observer asks for first: seeing, sky, depth."""
    DETECTORS = "Stars and detectors"
    """What else was measured: the readout, the mask, how well the stars were matched."""


class Summary(StrEnum):
    """What the report says of a measurement, over the quadrants of a filter."""

    MEDIAN = "median"
    """The median."""
    SPREAD = "10/50/90 %"
    """The values below which 10, 50 and 90 percent of the quadrants lie."""
    LARGEST = "median and largest"
    """The median and the largest value."""
    PRESENT = "quadrants above 0"
    """In how many quadrants it is above zero."""


@dataclass(frozen=True)
class MailColumn:
    """The column of a measurement in the morning's report.

    Parameters
    ----------
    table : MailTable
    title : str
        Its heading, with the unit; by default the measurement's label and unit.
    summary : Summary
    digits : int
        Behind the decimal point. A count has none, and a share is shown in percent, whatever stands here.
    in_arcsec : bool
        Measured in pixels, and shown in arcseconds.
    """

    table: MailTable = MailTable.DETECTORS
    title: str = ""
    summary: Summary = Summary.MEDIAN
    digits: int = 2
    in_arcsec: bool = False


@dataclass(frozen=True)
class Panel:
    """The panel of a measurement in the report's picture of the night in time.

    Parameters
    ----------
    title : str
        Of its axis, with the unit.
    rank : int
        The panels stand in this order, from the top.
    called : str
        What the description of the picture calls it; by default the measurement's label.
    in_arcsec : bool
        Measured in pixels, and drawn in arcseconds.
    """

    title: str
    rank: int
    called: str = ""
    in_arcsec: bool = False


@dataclass(frozen=True)
class Measurement:
    """One number that an image is measured for.

    Parameters
    ----------
    name : str
        Of the metric that the science job leaves, of the threshold, and of the column in the ledger. A name that
        was once used is never used for anything else.
    label : str
        What people read in its place.
    unit : str
        `FRACTION`, `COUNT`, a unit, or nothing for a ratio.
    says : str
        One sentence: what the number is.
    reason_low, reason_high : Reason, optional
        Of an image that is below its `fail` bounds; of one that is above them or of which it could not be measured.
        A measurement without them is kept and shown, and has no bounds.
    absolute : bool
        It means what it says only where the stars were compared with a catalogue: calibrated against the field's own
        first frame it is shown as relative.
    cause : bool
        Outside of its bounds it explains why later steps could not go on: it is the reason, and not their failure.
    mail : MailColumn, optional
        Its column in the morning's report; None leaves it out. The ledger and the page of a quadrant have them all.
    panel : Panel, optional
        Where it is drawn against time in the morning's report; by default it is not.
    """

    name: str
    label: str
    unit: str
    says: str
    reason_low: Reason | None = None
    reason_high: Reason | None = None
    cause: bool = False
    absolute: bool = False
    mail: MailColumn | None = field(default_factory=MailColumn)
    panel: Panel | None = None

    def __post_init__(self) -> None:
        if (self.reason_low is None) != (self.reason_high is None):
            raise ValueError(f"measurement {self.name}: give both reason_low and reason_high, or neither")
        if self.cause and not self.bounded:
            raise ValueError(f"measurement {self.name}: a cause has bounds; give reason_low and reason_high")

    @property
    def bounded(self) -> bool:
        """Whether thresholds may bound it."""
        return self.reason_high is not None

    @property
    def titled(self) -> str:
        """Return its label, with the unit where that is not plain from the value."""
        return self.label if self.unit in ("", FRACTION, COUNT) else f"{self.label} ({self.unit})"


QUALITY, DETECTORS = MailTable.QUALITY, MailTable.DETECTORS
MEASUREMENTS = (
    Measurement(
        "saturated_fraction", "saturated", FRACTION, "Share of the pixels that are saturated.",
        Reason.SATURATED, Reason.SATURATED, cause=True, mail=MailColumn(DETECTORS, "Saturated"),
    ),
    Measurement(
        "same_value_fraction", "same value", FRACTION, "Share of the raw pixels that hold the commonest value.",
        Reason.NO_SIGNAL, Reason.NO_SIGNAL, cause=True, mail=None,
    ),
    Measurement(
        "thousands_fraction", "thousands", FRACTION, "Share of the raw pixels that are exactly 1000.",
        Reason.NO_SIGNAL, Reason.NO_SIGNAL, cause=True, mail=None,
    ),
    Measurement(
        "read_noise_ratio", "read noise", "of the settings'",
        "The read noise in the overscan, divided by the camera's own.",
        Reason.READOUT_NOISY, Reason.READOUT_NOISY, cause=True,
        mail=MailColumn(DETECTORS, "Read noise / set", Summary.LARGEST),
    ),
    Measurement(
        "pattern_noise", "pattern noise", "of the noise", "Amplitude of the strongest wave, in units of the noise.",
        Reason.PATTERN_NOISE, Reason.PATTERN_NOISE, cause=True,
        mail=MailColumn(DETECTORS, "Pattern noise", Summary.LARGEST, digits=3),
    ),
    Measurement(
        "background", "background", "e⁻/px", "Median level of the sky.",
        Reason.SHUTTER_CLOSED, Reason.BACKGROUND_TOO_HIGH, cause=True,
        mail=MailColumn(QUALITY, "Sky (e⁻/px)", digits=0), panel=Panel("sky (e⁻/px)", 4, called="sky"),
    ),
    Measurement(
        "background_rms", "background rms", "e⁻/px", "Noise of the sky, pixel by pixel.",
        Reason.SHUTTER_CLOSED, Reason.BACKGROUND_TOO_HIGH, cause=True, mail=None,
    ),
    Measurement(
        "elongation", "elongation", "", "The longer axis of the PSF, divided by the shorter one.",
        Reason.ELONGATED, Reason.ELONGATED, cause=True, mail=MailColumn(QUALITY, "Elong."),
    ),
    Measurement(
        "sources", "sources", COUNT, "How many sources were detected.",
        Reason.TOO_FEW_STARS, Reason.TOO_FEW_STARS, mail=None,
    ),
    Measurement(
        "fwhm_px", "FWHM", "px", "Full width of the PSF at half its maximum.",
        Reason.SEEING_TOO_POOR, Reason.SEEING_TOO_POOR,
        mail=MailColumn(QUALITY, "FWHM (arcsec) 10/50/90 %", Summary.SPREAD, in_arcsec=True),
        panel=Panel("FWHM (arcsec)", 1, called="seeing", in_arcsec=True),
    ),
    Measurement(
        "pointing_offset_arcsec", "pointing offset", "arcsec", "How far the image lies from where its header says.",
        Reason.POINTING_OFF, Reason.POINTING_OFF, absolute=True,
        mail=MailColumn(DETECTORS, "Pointing off (arcsec)", Summary.LARGEST, digits=1),
    ),
    Measurement(
        "stars_matched", "stars matched", COUNT, "How many stars were matched with the catalogue.",
        Reason.TOO_FEW_STARS, Reason.TOO_FEW_STARS, mail=MailColumn(DETECTORS, "Stars matched"),
    ),
    Measurement(
        "astrometry_rms_arcsec", "astrometry rms", "arcsec", "Scatter of the matched stars about the catalogue.",
        Reason.ASTROMETRY_FAILED, Reason.ASTROMETRY_FAILED,
        mail=MailColumn(QUALITY, "Astrom. rms (arcsec)", digits=3),
    ),
    Measurement(
        "zero_point_zenith", "zero point of 1 e⁻/s above the air", "mag",
        "Magnitude of one electron a second, above the atmosphere: clouds and a dirty mirror show in it.",
        Reason.CLOUDY, Reason.PHOTOMETRY_FAILED, mail=MailColumn(DETECTORS, "Zero point above the air (mag)"),
    ),
    Measurement(
        "zero_point", "zero point", "mag", "Magnitude of one electron in the whole exposure.",
        Reason.CLOUDY, Reason.PHOTOMETRY_FAILED, absolute=True, mail=MailColumn(QUALITY, "Zero point (mag)"),
        panel=Panel("zero point (mag)", 3),
    ),
    Measurement(
        "zero_point_rms", "zero point rms", "mag", "Scatter of the stars about the zero point.",
        Reason.PHOTOMETRY_FAILED, Reason.PHOTOMETRY_FAILED, mail=MailColumn(QUALITY, "rms (mag)", digits=3),
    ),
    Measurement(
        "limiting_magnitude", "limiting magnitude", "mag", "Magnitude of a point source of 5 sigma.",
        Reason.TOO_SHALLOW, Reason.PHOTOMETRY_FAILED, absolute=True,
        mail=MailColumn(QUALITY, "Limit (mag) 10/50/90 %", Summary.SPREAD), panel=Panel("limiting mag (5σ)", 2),
    ),
    Measurement(
        "colour_term", "colour term", "mag/mag", "By how much the zero point changes with a star's colour.",
        mail=MailColumn(DETECTORS, "Colour term", digits=3),
    ),
    Measurement(
        "masked_fraction", "masked", FRACTION, "Share of the pixels that are of no use.",
        mail=MailColumn(DETECTORS, "Masked"),
    ),
    Measurement(
        "cosmic_ray_pixels", "cosmic-ray pixels", COUNT, "How many pixels were hit by cosmic rays.",
        mail=MailColumn(DETECTORS, "Cosmic-ray pixels"),
    ),
    Measurement(
        "trails", "trails", COUNT, "How many trails of satellites and aircraft cross it.",
        mail=MailColumn(DETECTORS, "With a trail", Summary.PRESENT),
    ),
    Measurement("psf_stars", "PSF stars", COUNT, "How many stars the PSF was built of.", mail=None),
    Measurement(
        "zero_point_stars", "zero point stars", COUNT, "How many stars the zero point was fitted to.", mail=None
    ),
    Measurement(
        "zero_point_uncertainty", "zero point uncertainty", "mag", "Standard error of the zero point.", mail=None
    ),
)  # fmt: skip


def all_measurements() -> tuple[Measurement, ...]:
    """Return every measurement, in the order of causes."""
    return MEASUREMENTS


def bounded_measurements() -> tuple[Measurement, ...]:
    """Return the measurements that thresholds may bound, in the order of causes."""
    return tuple(measurement for measurement in MEASUREMENTS if measurement.bounded)


def panels() -> tuple[tuple[Measurement, Panel], ...]:
    """Return the measurements that are drawn against time, from the top panel down."""
    found = [(measurement, measurement.panel) for measurement in MEASUREMENTS if measurement.panel is not None]
    return tuple(sorted(found, key=lambda pair: pair[1].rank))


def measurement_named(name: str) -> Measurement | None:
    """Return the measurement of that name, or None where there is none."""
    return next((measurement for measurement in MEASUREMENTS if measurement.name == name), None)
