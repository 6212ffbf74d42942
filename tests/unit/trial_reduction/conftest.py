"""Frames of the demo camera as a trial sees them, without files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightshift.ingest.examine import RawFrame
from nightshift.ingest.header import FrameHeader
from nightshift.keys import FrameKey
from nightshift.settings import load_survey
from nightshift.trial_reduction.frames import TrialFrame
from nightshift.vocabulary import ImageType

MIDNIGHT = datetime(2026, 1, 16, 8, tzinfo=UTC)  # of the demo's site


@pytest.fixture
def survey():
    return load_survey("demo")


@pytest.fixture
def frames(survey):
    """Make frames of a type: ``frames("flat", 5, filter="g")``; the first opens at local midnight."""

    def make(kind: str, count: int, *, filter: str = "g", field: int | None = 101, opened: datetime = MIDNIGHT):
        made = []
        for number in range(count):
            moment = opened + timedelta(minutes=number)
            header = FrameHeader(30.0, moment, filter, "", 150.1, 22.2, 1.2, 1, None, None, None, None, None)
            key = FrameKey("democam", f"{kind}{filter}{moment:%Y%m%d%H%M%S}", 1)
            image_type = ImageType(kind)
            named = filter if image_type in (ImageType.FLAT, ImageType.SCIENCE) else ""
            own = field if image_type is ImageType.SCIENCE else None
            frame = RawFrame(key, image_type, named, own, header, {})
            made.append(TrialFrame.of(Path(f"{key.exposure_id}.fits"), frame, survey))
        return made

    return make
