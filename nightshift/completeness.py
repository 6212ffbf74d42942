"""What share of new sources a night would have found, from those that were put into a sample of its quadrants."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Recovered", "recovered_by_signal"]

BINS = {"snr5_6": "5 to 6", "snr6_8": "6 to 8", "snr8_up": "8 and more"}
_SIGMA = 1.96  # of a Gaussian, that hold 95%


@dataclass(frozen=True)
class Recovered:
    """How many sources of one range of signal to noise were put in, and how many of them were found.

    Parameters
    ----------
    name : str
        As in a difference's quality, such as ``snr5_6``.
    label : str
        The range, as it is shown.
    injected, recovered : int
    """

    name: str
    label: str
    injected: int
    recovered: int

    @property
    def share(self) -> float | None:
        """Return the share that was found; None where nothing was put in."""
        return self.recovered / self.injected if self.injected else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95% score interval of a binomial share: what so few numbers leave open.

        After Wilson (1927, J. Am. Stat. Assoc. 22, 209). It stays within 0 and 1, and three of three are not
        certainty. None where nothing was put in.
        """
        if not self.injected:
            return None
        number, share, z2 = self.injected, self.recovered / self.injected, _SIGMA**2
        middle = (share + z2 / (2 * number)) / (1 + z2 / number)
        half = _SIGMA * math.sqrt(share * (1 - share) / number + z2 / (4 * number**2)) / (1 + z2 / number)
        return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def recovered_by_signal(counts: Mapping[str, Any]) -> list[Recovered]:
    """Return the bins of counts named ``injected_<bin>`` and ``recovered_<bin>``, faintest first."""
    return [
        Recovered(name, label, int(counts[f"injected_{name}"]), int(counts[f"recovered_{name}"]))
        for name, label in BINS.items()
    ]
