"""What a map is of, as the ledger and its file call it."""

from dataclasses import dataclass, replace
from datetime import date, datetime

__all__ = ["MapKey"]

PREFIX = "coverage"
ALL_NIGHTS = "all"
NO_FILTER = "none"


@dataclass(frozen=True, order=True)
class MapKey:
    """What a map is of.

    Parameters
    ----------
    site, instrument, filter : str
        The filter may be empty.
    relative : bool
        Whether its limiting magnitudes are relative to each field's own first frame, for want of a catalogue. Such
        frames have maps of their own, so that they are never added to those in true magnitudes.
    order : int
        Of the HEALPix pixels.
    night : date or None
        None: of all nights so far.
    """

    site: str
    instrument: str
    filter: str
    relative: bool
    order: int
    night: date | None = None

    def __str__(self) -> str:
        night = f"{self.night:%Y%m%d}" if self.night else ALL_NIGHTS
        return "/".join(
            (PREFIX, self.site, night, self.instrument, self.filter or NO_FILTER, self.zero_points, f"o{self.order}")
        )

    @property
    def zero_points(self) -> str:
        """What its limiting magnitudes are: ``absolute`` or ``relative``."""
        return "relative" if self.relative else "absolute"

    @property
    def cumulative(self) -> "MapKey":
        """The same of all nights so far."""
        return replace(self, night=None)

    @property
    def file_name(self) -> str:
        """The name of its file."""
        night = f"{self.night:%Y%m%d}" if self.night else "cumulative"
        relative = "_relative" if self.relative else ""
        return f"coverage_{night}_{self.instrument}_{self.filter or NO_FILTER}{relative}_order{self.order}.fits"

    @classmethod
    def parse(cls, text: str) -> "MapKey":
        """Return the key that was written so; `ValueError` where it is none."""
        parts = text.split("/")
        if len(parts) != 7 or parts[0] != PREFIX:
            raise ValueError(f"{text!r} is no key of a map of coverage")
        _, site, night, instrument, name, zero_points, order = parts
        return cls(
            site,
            instrument,
            "" if name == NO_FILTER else name,
            zero_points == "relative",
            int(order.removeprefix("o")),
            None if night == ALL_NIGHTS else datetime.strptime(night, "%Y%m%d").date(),
        )
