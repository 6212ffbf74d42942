"""The natural keys, and the one text form of each.

The text of a key is what jobs, files and pages call a thing; it parses back to the same key.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from nightshift.vocabulary import CalibrationKind, Tier

__all__ = ["LIVE", "CalibrationKey", "ExposureKey", "FrameKey", "QuadrantKey", "ReferenceKey", "UnitKey", "serving"]

LIVE = "live"


def serving(campaign: str) -> list[str]:
    """Return the campaigns whose masters and references serve a campaign's work: its own before the live ones."""
    return list(dict.fromkeys((campaign, LIVE)))


class ExposureKey(NamedTuple):
    """The camera's own name of one opening of the shutter."""

    instrument: str
    exposure_id: str

    def __str__(self) -> str:
        return f"{self.instrument}/{self.exposure_id}"


class FrameKey(NamedTuple):
    """One detector's file of an exposure."""

    instrument: str
    exposure_id: str
    detector: int

    @property
    def exposure(self) -> ExposureKey:
        """The exposure that the frame belongs to."""
        return ExposureKey(self.instrument, self.exposure_id)

    def __str__(self) -> str:
        return f"{self.instrument}/{self.exposure_id}/d{self.detector:02d}"


@dataclass(frozen=True, order=True)
class QuadrantKey:
    """One amplifier of a camera."""

    instrument: str
    detector: int
    quadrant: int

    def __str__(self) -> str:
        return f"{self.instrument}/d{self.detector:02d}/q{self.quadrant}"


@dataclass(frozen=True, order=True)
class UnitKey:
    """One quadrant of one exposure, reduced once in a tier and campaign."""

    instrument: str
    exposure_id: str
    detector: int
    quadrant: int
    tier: str = Tier.PROCESSED
    campaign: str = LIVE

    @property
    def exposure(self) -> ExposureKey:
        """The exposure that the unit belongs to."""
        return ExposureKey(self.instrument, self.exposure_id)

    def __str__(self) -> str:
        return (
            f"{self.instrument}/{self.exposure_id}/d{self.detector:02d}/q{self.quadrant}/{self.tier}/{self.campaign}"
        )

    @classmethod
    def parse(cls, text: str) -> "UnitKey":
        """Return the key whose text this is."""
        instrument, exposure_id, detector, quadrant, tier, campaign = text.split("/")
        return cls(instrument, exposure_id, int(detector[1:]), int(quadrant[1:]), tier, campaign)


@dataclass(frozen=True, order=True)
class CalibrationKey:
    """One version of a master of one quadrant in a campaign. The filter of a bias or dark is empty.

    There is no tier in it: a master serves previews and processed frames alike.
    """

    kind: CalibrationKind
    instrument: str
    detector: int
    quadrant: int
    filter: str
    night: date
    epoch: int = 1
    version: int = 1
    campaign: str = LIVE

    def __str__(self) -> str:
        return (
            f"{self.kind}/{self.instrument}/d{self.detector:02d}/q{self.quadrant}/{self.filter or '-'}"
            f"/{self.night:%Y%m%d}/e{self.epoch}/v{self.version}/{self.campaign}"
        )


@dataclass(frozen=True, order=True)
class ReferenceKey:
    """One version, in a campaign, of the reference of one quadrant of a field in a filter.

    There is no tier in it: a reference is made of processed frames only.
    """

    field: int
    instrument: str
    detector: int
    quadrant: int
    filter: str
    version: int = 1
    campaign: str = LIVE

    def __str__(self) -> str:
        return (
            f"reference/{self.field:06d}/{self.instrument}/d{self.detector:02d}/q{self.quadrant}"
            f"/{self.filter}/v{self.version}/{self.campaign}"
        )

    @classmethod
    def parse(cls, text: str) -> "ReferenceKey":
        """Return the key whose text this is."""
        _, field, instrument, detector, quadrant, filter_name, version, campaign = text.split("/")
        quadrant_of = int(detector[1:]), int(quadrant[1:])
        return cls(int(field), instrument, *quadrant_of, filter_name, int(version[1:]), campaign)
