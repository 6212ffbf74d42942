"""How the maps of what was observed are made."""

import math
from typing import Annotated

from pydantic import Field as Key

from nightshift.settings.base_table import Table

__all__ = ["CoveragePolicy", "order_for"]

PIXELS_ACROSS = 8  # of a map, in the shorter side of a quadrant
COARSEST, FINEST = 5, 13
DEG_OF_ORDER_0 = math.degrees(math.sqrt(4 * math.pi / 12))  # the side of one of the twelve pixels of the sky
Order = Annotated[int, Key(ge=COARSEST, le=FINEST)]

# --- policy.toml -------------------------------------------------------------------------------------------


class CoveragePolicy(Table):
    """Maps of how often and how deep the sky was seen."""

    order: Order | None = None  # of their HEALPix pixels; none: about 8 pixels in a quadrant's side


def order_for(side_deg: float) -> int:
    """Return the HEALPix order, 5 to 13, that has nearest to eight pixels in a quadrant's side."""
    order = round(math.log2(DEG_OF_ORDER_0 * PIXELS_ACROSS / side_deg))
    return min(max(order, COARSEST), FINEST)
