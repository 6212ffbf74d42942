"""Disk and ledger keep a constant size once retention has set in."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from simulated_nights import SimulatedNights, picture, table

from nightshift.settings.retention import RetentionPolicy

FEW_NIGHTS = RetentionPolicy(
    raw_nights=3, calibrated_nights=3, sources_nights=3, cutouts_nights=3, packets_nights=30, differences_nights=30,
    quarantine_nights=3, attempts_nights=3, failed_attempts_nights=3, detach_months_after=1,
)  # fmt: skip


@pytest.fixture
def nights(context, clock, frames_in, tmp_path):
    calibration = context.survey.calibration.model_copy(update={"at_least_frames": 2})
    survey = context.survey.model_copy(update={"retention": FEW_NIGHTS, "calibration": calibration})
    context = context.with_survey(survey)
    return SimulatedNights(context, clock, frames_in(context.inbox), tmp_path / "second")


def test_six_nights(nights):
    measured = nights.play(6)
    print(*table(measured), sep="\n")
    after = measured[3:]
    # raw frames, calibrated images and folders of jobs are those of three nights; a few bytes of differences come on
    assert max(a.working_mb for a in after) < 1.05 * min(a.working_mb for a in after)
    assert all(b.archive_mb > a.archive_mb for a, b in pairwise(measured))
    assert all(done.files > 0 for done in nights.cleaned[3:])
    assert nights.sql("select 1 from events where level in ('error', 'page')") == []
    assert nights.sql("select 1 from nights where state <> 'closed'") == []


@pytest.mark.faults
@pytest.mark.timeout(3000)
def test_sixty_nights(nights):
    measured = nights.play(60)
    print(*table(measured), sep="\n")
    if place := os.environ.get("NIGHTSHIFT_WRITE_PICTURES"):
        picture(measured, nights.detached, Path(place) / "sixty-nights.png")
    settled = measured[33:]  # differences and packets are kept for thirty nights
    # those with the raw frames of calibrations, which come every twenty nights, compare with none
    for before, after in zip(measured[33:40], measured[53:60], strict=True):
        assert after.working_mb < 1.01 * before.working_mb and after.working_files <= before.working_files
    assert max(a.working_mb for a in settled) < 35  # of 337 MB that came
    assert nights.detached, "no month left the ledger"
    first = nights.detached[0][0]
    assert measured[first - 1].rows < measured[first - 2].rows
    # what lasts grows by the night, evenly: no night leaves more than another
    grows = [b.lasting_rows - a.lasting_rows for a, b in pairwise(settled)]
    assert max(grows) < 4 * (sum(grows) / len(grows))
    assert nights.sql("select 1 from events where level in ('error', 'page')") == []
