"""What amplifiers do to the signal that passes through them."""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field as Key
from pydantic import model_validator

from nightshift.settings.base_table import Positive, Table

__all__ = ["Crosstalk", "Linearity"]

CHECKS = 128  # counts at which a linearity is looked at


class Linearity(Table):
    """How an amplifier's counts `x` (ADU above the overscan) become proportional to light.

    ``polynomial``: x (1 + c1 x + c2 x^2 + ...); ``quotient``: x / (1 + c1 x + c2 x^2 + ...), as ZTF writes it;
    ``table``: straight lines between pairs of `measured` and `linear`, of which the first is 0 and 0.
    """

    form: Literal["polynomial", "quotient", "table"]
    coefficients: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()  # rising
    linear: tuple[float, ...] = ()
    most_adu: Positive | None = None  # up to where it was measured; None: the table's end, or the saturation

    def at(self, counts: float) -> float:
        """Return counts proportional to light."""
        if self.form == "table":
            above = next((k for k, known in enumerate(self.measured) if known >= counts), len(self.measured) - 1)
            k = max(above, 1)
            share = (counts - self.measured[k - 1]) / (self.measured[k] - self.measured[k - 1])
            return self.linear[k - 1] + share * (self.linear[k] - self.linear[k - 1])
        factor = 1.0
        for power, coefficient in enumerate(self.coefficients, start=1):
            factor += coefficient * counts**power
        return counts * factor if self.form == "polynomial" else counts / factor

    def most(self, saturation: float) -> float:
        """Return the counts up to which it holds, for an amplifier of this saturation."""
        return self.most_adu or (self.measured[-1] if self.form == "table" else saturation)

    def nodes(self, saturation: float, number: int) -> tuple[float, ...]:
        """Return counts proportional to light for so many evenly spaced counts from 0 to the most."""
        most = self.most(saturation)
        return tuple(self.at(most * k / (number - 1)) for k in range(number))

    def check(self, saturation: float) -> None:
        """Check it for an amplifier of this saturation.

        Raises
        ------
        ValueError
            Where corrected counts do not rise all the way, or are not within a factor of two of what was measured.
        """
        most, before = self.most(saturation), 0.0
        for counts in sorted({*self.measured[1:], *(most * k / CHECKS for k in range(1, CHECKS + 1))}):
            try:
                after = self.at(counts)
            except ZeroDivisionError:
                after = math.inf
            if not (after > before and 0.5 < after / counts < 2):
                raise ValueError(
                    f"corrected counts must rise all the way to {most:g} ADU and stay within a factor of two; "
                    f"{counts:.6g} ADU become {after:.6g}"
                )
            before = after

    @model_validator(mode="after")
    def _numbers_of_its_form(self) -> "Linearity":
        if self.form != "table":
            if not self.coefficients or self.measured or self.linear:
                raise ValueError(
                    f"a {self.form} has `coefficients` (at least one), and neither `measured` nor `linear`"
                )
            return self
        if self.coefficients or len(self.measured) != len(self.linear) or len(self.measured) < 2:
            raise ValueError("a table has `measured` and `linear`, equally many and at least two, no `coefficients`")
        if (self.measured[0], self.linear[0]) != (0, 0):
            raise ValueError("a table begins with 0 in `measured` and in `linear`")
        if any(b <= a for a, b in pairwise(self.measured)):
            raise ValueError("`measured` must rise")
        if self.most_adu is not None and self.most_adu > self.measured[-1]:
            raise ValueError(f"`most_adu` must not lie beyond the table's end, {self.measured[-1]:g}")
        return self


class Crosstalk(Table):
    """How much one amplifier hears of another of the same detector while both are read."""

    victim: int  # quadrant that hears
    source: int  # quadrant that is heard
    coefficient: Annotated[float, Key(ge=-0.05, le=0.05)]  # ADU for each ADU of the source; below 0: undershoot
    mirrored: Literal["", "x", "y", "xy"] = ""  # axes along which the source's image runs against the victim's
    detector: int | None = None  # None: in every detector
