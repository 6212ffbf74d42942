"""What the simulated sky and telescope are like in each band.

The numbers are choices for a small telescope at a dark site: a 5 sigma limit of about r = 20.2 in 30 s with
1"/px, as wide surveys with half-metre to metre telescopes reach.
"""

from dataclasses import dataclass

__all__ = ["Band", "band_of"]


@dataclass(frozen=True)
class Band:
    """One band.

    Parameters
    ----------
    zero_point : float
        Magnitude of a source that gives 1 electron a second, outside of the atmosphere.
    sky : float
        Dark sky at the zenith in magnitudes per square arcsecond.
    extinction : float
        Magnitudes per airmass.
    colour : float
        Magnitude less r, in units of g - r.
    """

    zero_point: float
    sky: float
    extinction: float
    colour: float


BANDS = {
    "u": Band(21.8, 21.8, 0.45, 2.3),
    "g": Band(23.2, 21.0, 0.20, 1.0),
    "b": Band(23.0, 21.6, 0.24, 1.3),
    "v": Band(23.0, 20.9, 0.15, 0.4),
    "vr": Band(23.5, 20.9, 0.13, 0.2),
    "r": Band(23.0, 20.6, 0.12, 0.0),
    "i": Band(22.7, 19.9, 0.08, -0.4),
    "z": Band(22.0, 19.0, 0.06, -0.6),
}


def band_of(filter_name: str) -> Band:
    """Return the band that a filter's name ends with (``zg`` is g); an unknown one counts as r."""
    name = filter_name.lower()
    return BANDS.get(name) or BANDS.get(name[-1:]) or BANDS["r"]
