"""What pixels can be unfit for: the problem as a member of one enum, and a message that says what was seen."""

from enum import StrEnum

__all__ = ["Problem", "Unusable"]


class Problem(StrEnum):
    """Why pixels or a catalogue could not be used. Each is a reason of the survey's vocabulary, by the same name."""

    # of files and masters that are read
    UNREADABLE_FILE = "unreadable_file"
    """A file does not read, or no pixel of it has a value."""
    WRONG_SHAPE = "wrong_shape"
    """Images that belong together have different sizes."""
    HEADER_IMPOSSIBLE = "header_impossible"
    """A header value cannot be true."""
    CALIBRATION_MISSING = "calibration_missing"
    """Masters or known bad pixels leave no pixel to measure."""
    CROSSTALK_LEFT = "crosstalk_left"
    """An amplifier that this one hears does not read: its crosstalk cannot be taken out."""
    # of frames that are to be in a master
    LEVEL_OUT_OF_RANGE = "level_out_of_range"
    """The level of a flat, or the dark current of a dark, lies outside the useful range."""
    OFF_THE_RAMP = "off_the_ramp"
    """The light of a twilight flat does not fall or rise with the others'."""
    UNLIKE_ITS_FELLOWS = "unlike_its_fellows"
    """The frame differs from the others of its set."""
    # of exposures of the sky
    SATURATED = "saturated"
    """Too many pixels are saturated."""
    NO_SIGNAL = "no_signal"
    """The raw pixels hold one and the same value."""
    BACKGROUND_TOO_HIGH = "background_too_high"
    """The image is too full to tell sources apart."""
    ELONGATED = "elongated"
    """The telescope moved during the exposure: stars are seen twice."""
    TOO_FEW_STARS = "too_few_stars"
    """Too few stars to measure by."""
    ASTROMETRY_FAILED = "astrometry_failed"
    """The stars do not match the catalogue."""
    PHOTOMETRY_FAILED = "photometry_failed"
    """No zero point can be measured."""
    # of pairs of images
    REFERENCE_UNUSABLE = "reference_unusable"
    """The reference does not cover enough of the image."""
    DIFFERENCE_FAILED = "difference_failed"
    """The difference cannot be made, or is too poor to search."""


class Unusable(Exception):
    """The input cannot be reduced any further, and would fail again.

    Parameters
    ----------
    cause : Problem
        What it is unfit for.
    message : str
        What was wrong and where.
    """

    def __init__(self, cause: Problem, message: str):
        super().__init__(message)
        self.cause = cause

    def __reduce__(self) -> tuple[type["Unusable"], tuple[Problem, str]]:
        return type(self), (self.cause, str(self))
