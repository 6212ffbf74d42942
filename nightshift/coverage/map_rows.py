"""What is said of a map in a line or a row."""

from dataclasses import dataclass

import numpy as np

from nightshift.coverage.depth_map import DepthMap
from nightshift.coverage.map_keys import MapKey

__all__ = ["MapFigures", "area_text"]


def area_text(area_deg2: float) -> str:
    """Return an area with as many digits as say something."""
    return f"{area_deg2:,.0f} deg²" if area_deg2 >= 100 else f"{area_deg2:.3g} deg²"


@dataclass(frozen=True)
class MapFigures:
    """The figures of one map.

    Parameters
    ----------
    key : MapKey
    area_deg2 : float
        That was seen at least once.
    exposures : tuple of int
        Median and largest number over the pixels that were seen.
    depth : tuple of float
        Limiting magnitudes that 10, 50 and 90 % of the area do not reach; empty where none is known.
    """

    key: MapKey
    area_deg2: float
    exposures: tuple[int, int]
    depth: tuple[float, ...]

    @classmethod
    def of(cls, key: MapKey, depth_map: DepthMap) -> "MapFigures":
        """Return the figures of a map."""
        known = depth_map.depth[np.isfinite(depth_map.depth)]
        counts = depth_map.exposures
        return cls(
            key,
            depth_map.area_deg2,
            (int(np.median(counts)), int(counts.max())) if counts.size else (0, 0),
            tuple(float(value) for value in np.percentile(known, [10, 50, 90])) if known.size else (),
        )

    @property
    def filter_text(self) -> str:
        """The filter, and whether its magnitudes are relative."""
        return f"{self.key.filter or 'no filter'}{' (relative)' if self.key.relative else ''}"

    @property
    def exposures_text(self) -> str:
        """How often a place was seen: median and most."""
        return f"{self.exposures[0]} / {self.exposures[1]}"

    @property
    def depth_text(self) -> str:
        """The spread of the depth."""
        return " / ".join(f"{value:.2f}" for value in self.depth) or "—"

    def __str__(self) -> str:
        return (
            f"{self.key.night or 'all nights'}, {self.key.instrument}, {self.filter_text}: "
            f"{area_text(self.area_deg2)}, exposures (median / most) {self.exposures_text}, "
            f"depth in mag (10 / 50 / 90 %) {self.depth_text}"
        )
