"""The steps of the recipes that a camera may leave out, by name.

Nothing of the pixels is loaded here: whoever only reads settings need not wait for it.
"""

from enum import StrEnum

__all__ = ["OptionalStep"]


class OptionalStep(StrEnum):
    """A step that a camera may leave out. Each is a function of `reduction.recipes`, by the same name.

    The masters' steps are not among them: a survey without a kind of master has that step do nothing.
    """

    NOTE_RAW_STATISTICS = "note_raw_statistics"
    """Neither dead readouts nor the read noise are then looked for in the raw pixels."""
    SUBTRACT_OVERSCAN = "subtract_overscan"
    """The master bias alone takes the pedestal out."""
    MASK_EDGES = "mask_edges"
    """`mask_edge_px` is then without effect."""
    FLAG_BAD_PIXELS = "flag_bad_pixels"
    """The camera's masks of bad pixels are then without effect."""
    SUBTRACT_CROSSTALK = "subtract_crosstalk"
    """The camera's table of crosstalk is then without effect."""
    CORRECT_LINEARITY = "correct_linearity"
    """The amplifiers' linearity is then without effect."""
    REJECT_COSMIC_RAYS = "reject_cosmic_rays"
    """For a camera whose pixels are too coarse to tell a star from a hit."""
    FLAG_TRAILS = "flag_trails"
    """Satellite trails are then sources like others."""
    REFUSE_DOUBLE_IMAGES = "refuse_double_images"
    """For a camera that shows every star twice on purpose."""
