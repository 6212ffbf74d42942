"""How a page writes what was measured: with its unit, and no more digits than it has."""

from datetime import datetime
from typing import Any

from nightshift.night_end.report_sections import percent

__all__ = ["named", "said"]

# what neither its name nor its ending gives the unit of
UNITS = {
    "background": "e⁻/px", "background_rms": "e⁻/px", "background_offset": "e⁻/px", "zero_point": "mag",
    "zero_point_rms": "mag", "zero_point_uncertainty": "mag", "zero_point_zenith": "mag, of 1 e⁻/s above the air",
    "colour_term": "mag/mag", "limiting_magnitude": "mag", "read_noise_ratio": "of the settings'",
    "pattern_noise": "of the noise", "level": "ADU", "read_noise": "ADU", "gain": "e⁻/ADU", "gain_error": "e⁻/ADU",
}  # fmt: skip
ENDINGS = {"_px": "px", "_arcsec": "arcsec", "_deg": "deg", "_s": "s", "_fraction": ""}
SHARES = ("masked", "coverage")  # and what ends with _fraction


def named(name: str) -> str:
    """Return what a measurement is called, with its unit."""
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
    if isinstance(value, float) and (name in SHARES or name.endswith("_fraction")):
        return percent(value)
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 999.95 else f"{value:#.4g}"  # 999.96 is 1000, without a point
    return str(value)
