"""How a page writes what was measured: with its unit, and no more digits than it has."""

from datetime import datetime
from typing import Any

from nightshift.night_end.report_text import percent
from nightshift.vocabulary import measurement_named
from nightshift.vocabulary.measurements import COUNT, FRACTION

__all__ = ["named", "said"]

# of what is no measurement of an image, and whose unit its ending does not give
UNITS = {
    "background_offset": "e⁻/px", "level": "ADU", "read_noise": "ADU", "gain": "e⁻/ADU", "gain_error": "e⁻/ADU",
}  # fmt: skip
ENDINGS = {"_px": "px", "_arcsec": "arcsec", "_deg": "deg", "_s": "s", "_fraction": ""}
SHARES = ("masked", "coverage")  # and what ends with _fraction


def named(name: str) -> str:
    """Return what a measurement is called, with its unit."""
    if measurement := measurement_named(name):
        return measurement.titled
    if name in UNITS:
        return f"{name.replace('_', ' ')} ({UNITS[name]})"
    for ending, unit in ENDINGS.items():
        if name.endswith(ending):
            words = name.removesuffix(ending).replace("_", " ").replace("fwhm", "FWHM")
            return f"{words} ({unit})" if unit else words
    return name.replace("_", " ")


def said(name: str, value: Any) -> str:
    """Return a value as it is shown: four digits of a number, a share as percent, a time to the second."""
    if value == 0:
        return "no" if value is False else "0"
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return _number(name, value) if isinstance(value, float) else str(value)


def _number(name: str, value: float) -> str:
    unit = measurement.unit if (measurement := measurement_named(name)) else ""
    if unit == FRACTION or name in SHARES or name.endswith("_fraction"):
        return percent(value)
    whole = unit == COUNT or abs(value) >= 999.95  # 999.96 is 1000, without a point
    return f"{value:.0f}" if whole else f"{value:#.4g}"
