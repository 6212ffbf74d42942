"""Which candidates become alerts."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from nightshift.settings.models import AlertPolicy

__all__ = ["missed_cut"]


def missed_cut(
    policy: AlertPolicy, *, signal_to_noise: float, magnitude: float | None, record: Mapping[str, Any]
) -> str | None:
    """Return the name of the first cut that a candidate misses, or None where it becomes an alert.

    A quantity that was not measured cannot miss its cut, but a detection without a magnitude cannot be written
    as a packet.

    Parameters
    ----------
    policy : AlertPolicy
        The bounds. Both ends of a range are allowed.
    signal_to_noise : float
        Negative where the difference is.
    magnitude : float, optional
    record : mapping
        What else the pixels gave.
    """
    if not _known(magnitude) and not _known(record.get("magpsf")):
        return "magnitude"
    if abs(signal_to_noise) < policy.signal_to_noise:
        return "signal_to_noise"
    ranges = {"fwhm": policy.fwhm_px, "elong": policy.elongation, "magdiff": policy.magnitude_difference}
    for name, (least, most) in ranges.items():
        value = record.get(name)
        if _known(value) and not least <= value <= most:
            return name
    bad, real_bogus = record.get("nbad"), record.get("rb")
    if bad is not None and bad > policy.bad_pixels_at_most:
        return "nbad"
    return "rb" if _known(real_bogus) and real_bogus < policy.real_bogus_at_least else None


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
