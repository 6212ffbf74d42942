"""Which candidates become alerts."""

import math
from collections.abc import Mapping
from typing import Any

from nightshift.settings.models import AlertPolicy

__all__ = ["missed_cut"]


def missed_cut(row: Mapping[str, Any], policy: AlertPolicy) -> str | None:
    """Return the name of the first cut that a candidate misses, or None where it becomes an alert.

    A quantity that was not measured cannot miss its cut, but a detection without a magnitude cannot be written
    as a packet.

    Parameters
    ----------
    row : mapping
        Of table ``candidates``: ``signal_to_noise``, ``magnitude``, ``record``.
    policy : AlertPolicy
        The bounds. Both ends of a range are allowed.
    """
    record = row["record"]
    if _unknown(row["magnitude"]) and _unknown(record.get("magpsf")):
        return "magnitude"
    if abs(row["signal_to_noise"]) < policy.signal_to_noise:
        return "signal_to_noise"
    ranges = {"fwhm": policy.fwhm_px, "elong": policy.elongation, "magdiff": policy.magnitude_difference}
    for name, (least, most) in ranges.items():
        value = record.get(name)
        if not _unknown(value) and not least <= value <= most:
            return name
    bad, real_bogus = record.get("nbad"), record.get("rb")
    if bad is not None and bad > policy.bad_pixels_at_most:
        return "nbad"
    return "rb" if not _unknown(real_bogus) and real_bogus < policy.real_bogus_at_least else None


def _unknown(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
