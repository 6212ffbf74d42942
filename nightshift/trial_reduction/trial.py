"""Try a survey's settings out on raw frames, one after the other of what can be wrong."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nightshift.settings import Survey
from nightshift.trial_reduction.frame_counts import check_frame_counts
from nightshift.trial_reduction.frames import TrialFrame, detector_of
from nightshift.trial_reduction.readout import check_readout
from nightshift.trial_reduction.reduce import TrialQuadrant, reduce_frames
from nightshift.trial_reduction.remarks import Remark
from nightshift.trial_reduction.sky import check_sky
from nightshift.trial_reduction.times import check_times

__all__ = ["try_out"]


def try_out(survey: Survey, frames: Sequence[TrialFrame]) -> Iterator[Remark]:
    """Yield what was found out about one instrument's settings, what is good as well as what is wrong.

    The quadrants of the detector with most frames are read and reduced: what is wrong with a camera's settings shows
    in one detector.

    Parameters
    ----------
    survey : Survey
    frames : sequence of TrialFrame
        At least one, all of the instrument.
    """
    yield from check_times(survey, frames)
    yield from check_frame_counts(survey, frames)
    yield from check_sky(survey, frames)
    detector = detector_of(frames)
    for quadrant in survey.camera.quadrant_ids:
        said = f"detector {detector}, quadrant {quadrant}: " if len(survey.camera.quadrant_ids) > 1 else ""
        with tempfile.TemporaryDirectory(prefix="nightshift_trial_") as folder:
            place = TrialQuadrant(survey, detector, quadrant, Path(folder))
            for remark in (*check_readout(survey, frames, detector, quadrant), *reduce_frames(place, frames)):
                yield replace(remark, text=said + remark.text)
