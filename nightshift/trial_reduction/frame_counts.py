"""Whether there are as many frames as the settings ask for."""

from collections import Counter
from collections.abc import Iterator, Sequence

from nightshift.settings import Survey
from nightshift.trial_reduction.frames import (
    TrialFrame,
    detector_of,
    filters_of_science,
    largest_sets,
    science_frames,
)
from nightshift.trial_reduction.remarks import Remark, error, good, warning
from nightshift.vocabulary import CalibrationKind, Reason

__all__ = ["check_frame_counts"]


def check_frame_counts(survey: Survey, frames: Sequence[TrialFrame]) -> Iterator[Remark]:
    """Yield how many frames there are of each master and of each field, and where they are too few.

    Parameters
    ----------
    survey : Survey
    frames : sequence of TrialFrame
        At least one.
    """
    for kind in CalibrationKind:
        if kind in survey.calibration.kinds:
            yield from _enough_for_masters(survey, frames, kind)
        else:
            yield from _would_not_be_used(survey, frames, kind)
    yield from _enough_for_references(survey, frames)


def _enough_for_masters(survey: Survey, frames: Sequence[TrialFrame], kind: CalibrationKind) -> Iterator[Remark]:
    least = survey.calibration.at_least_frames
    needed = filters_of_science(frames) if kind is CalibrationKind.FLAT else {""}
    sets = largest_sets(frames, kind, detector_of(frames))
    for filter_name in sorted(needed | set(sets)):
        found = len(sets.get(filter_name, ()))
        what = f"{kind.value} frames" + (f" in {filter_name}" if filter_name else "")
        if not found:
            yield error(
                survey,
                f"no {what} among these files: science frames would be reduced without a master {kind.value}. Give "
                f"some, or take {kind.value!r} out of the kinds",
                "policy.toml", "calibration.kinds",
            )  # fmt: skip
        elif found < least:
            yield (error if filter_name in needed else warning)(
                survey,
                f"{found} {what} in a night, where a master needs {least} ({Reason.TOO_FEW_FRAMES})",
                "policy.toml", f"calibration.at_least_frames = {least}",
            )  # fmt: skip
        else:
            yield good(f"{found} {what} in a night, {least} are needed")


def _would_not_be_used(survey: Survey, frames: Sequence[TrialFrame], kind: CalibrationKind) -> Iterator[Remark]:
    found = sum(item.frame.image_type == kind.value for item in frames)
    if found:
        yield warning(
            survey, f"{found} {kind.value} frames are there and no master is made of them", "policy.toml",
            f"calibration.kinds (add {kind.value!r})",
        )  # fmt: skip


def _enough_for_references(survey: Survey, frames: Sequence[TrialFrame]) -> Iterator[Remark]:
    least = survey.reference.at_least_frames
    detector = detector_of(frames)
    visits = Counter(
        (item.frame.field, item.frame.filter)
        for item in science_frames(frames)
        if item.frame.key.detector == detector and item.frame.field is not None
    )
    for (field, filter_name), found in sorted(visits.items()):
        what = f"{found} frames of field {field} in {filter_name or 'no filter'}"
        if found < least:
            yield warning(
                survey, f"{what}: a reference needs {least}, and without one nothing is differenced", "policy.toml",
                f"reference.at_least_frames = {least}",
            )  # fmt: skip
        else:
            yield good(f"{what}, {least} make a reference")
