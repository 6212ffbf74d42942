"""The frames of a trial: each with its file, and the sets that belong together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nightshift.ingest.examine import RawFrame
from nightshift.nights import night_of
from nightshift.settings import Survey
from nightshift.vocabulary import CalibrationKind, ImageType

__all__ = ["TrialFrame", "detector_of", "filters_of_science", "largest_sets", "science_frames"]


@dataclass(frozen=True)
class TrialFrame:
    """One raw frame and where its file is.

    Parameters
    ----------
    path : Path
    frame : RawFrame
    night : date
    """

    path: Path
    frame: RawFrame
    night: date

    @classmethod
    def of(cls, path: Path, frame: RawFrame, survey: Survey) -> "TrialFrame":
        """Return a frame with the night that it belongs to."""
        return cls(path, frame, night_of(survey.site, frame.header.shutter_open))


def detector_of(frames: Iterable[TrialFrame]) -> int:
    """Return the detector with most frames, the lowest of several: one is enough to try settings out."""
    counts: dict[int, int] = defaultdict(int)
    for item in frames:
        counts[item.frame.key.detector] += 1
    return min(counts, key=lambda detector: (-counts[detector], detector))


def largest_sets(
    frames: Iterable[TrialFrame], kind: CalibrationKind, detector: int
) -> Mapping[str, Sequence[TrialFrame]]:
    """Return by filter the frames of a kind of master of the night that has most of them, in shutter order."""
    sets: dict[tuple[str, date], list[TrialFrame]] = defaultdict(list)
    for item in frames:
        if item.frame.image_type == kind.value and item.frame.key.detector == detector:
            sets[item.frame.filter if kind is CalibrationKind.FLAT else "", item.night].append(item)
    largest: dict[str, list[TrialFrame]] = {}
    for (filter_name, _), found in sorted(sets.items()):
        if len(found) > len(largest.get(filter_name, ())):
            largest[filter_name] = sorted(found, key=lambda item: item.frame.header.shutter_open)
    return largest


def filters_of_science(frames: Iterable[TrialFrame]) -> set[str]:
    """Return the filters that science frames were taken through."""
    return {item.frame.filter for item in frames if item.frame.image_type is ImageType.SCIENCE}


def science_frames(frames: Iterable[TrialFrame]) -> list[TrialFrame]:
    """Return the science frames in shutter order."""
    found = [item for item in frames if item.frame.image_type is ImageType.SCIENCE]
    return sorted(found, key=lambda item: (item.frame.header.shutter_open, item.frame.key.detector))
