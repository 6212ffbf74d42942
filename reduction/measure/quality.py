"""How good an image is: its measurements, held against dated bounds on both sides."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Bounds", "Breach", "Judgement", "judge"]


@dataclass(frozen=True)
class Bounds:
    """Bounds on one measurement; None leaves a side open.

    Parameters
    ----------
    name : str
        Of the measurement.
    warn, fail : tuple
        (least, most). Outside of `warn` the image is used and marked, outside of `fail` it is rejected.
    """

    name: str
    warn: tuple[float | None, float | None] = (None, None)
    fail: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class Breach:
    """One measurement outside of its bounds.

    Parameters
    ----------
    name : str
        Of the measurement.
    low : bool
        Below the least; above the most, or not measured at all, otherwise.
    sentence : str
    """

    name: str
    low: bool
    sentence: str


@dataclass(frozen=True)
class Judgement:
    """Which measurements break bounds, in the order of the bounds."""

    warnings: tuple[str, ...]
    failures: tuple[Breach, ...]

    @property
    def good(self) -> bool:
        """Whether no `fail` bound is broken."""
        return not self.failures


def judge(measurements: Mapping[str, float | None], bounds: Iterable[Bounds]) -> Judgement:
    """Hold measurements against bounds. What could not be measured breaks every `fail` bound on it."""
    warnings, failures = [], []
    for bound in bounds:
        if bound.name not in measurements:
            continue
        value = measurements[bound.name]
        if _outside(value, bound.fail):
            low = value is not None and bound.fail[0] is not None and value < bound.fail[0]
            failures.append(Breach(bound.name, low, _sentence(bound.name, value, bound.fail)))
        elif _outside(value, bound.warn):
            warnings.append(_sentence(bound.name, value, bound.warn))
    return Judgement(tuple(warnings), tuple(failures))


def _outside(value: float | None, allowed: tuple[float | None, float | None]) -> bool:
    least, most = allowed
    if least is None and most is None:
        return False
    if value is None or not math.isfinite(value):
        return True
    return (least is not None and value < least) or (most is not None and value > most)


def _sentence(name: str, value: float | None, allowed: tuple[float | None, float | None]) -> str:
    least, most = ("" if side is None else f"{side:g}" for side in allowed)
    if value is None or not math.isfinite(value):
        return f"{name} could not be measured; it should lie in {least}..{most}"
    return f"{name} {value:.4g} outside {least}..{most}"
