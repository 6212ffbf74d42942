"""Which work goes first."""

from datetime import timedelta

import pytest

from nightshift.kinds import Rank
from nightshift.runners.pool import Array, Pool
from nightshift.runners.spool import Spool, TaskRecord
from nightshift.settings.models import Profile
from nightshift.workflow.priorities import HIGHEST, priority_of, rank_of
from nightshift.workflow.subjects import subject_of

pytestmark = pytest.mark.integration

SET = {"instrument": "democam", "night": "2026-01-15", "kind": "bias"}


def exposure(number, night, **more):
    return subject_of("science", {"instrument": "democam", "exposure_id": night.frames.exposure_id(number), **more})


@pytest.mark.parametrize(
    ("kind", "conf", "tonight", "rank"),
    [
        ("master", SET, False, Rank.CALIBRATION),
        ("moving_objects", {"site": "demo", "night": "2026-01-15"}, False, Rank.MORNING),
        ("science", {"instrument": "democam", "exposure_id": "1"}, True, Rank.REAL_TIME),
        ("science", {"instrument": "democam", "exposure_id": "1"}, False, Rank.BACKLOG),
        ("difference", {"instrument": "democam", "exposure_id": "1"}, True, Rank.BACKLOG),
        ("reference", {"instrument": "democam", "field": "1", "filter": "g"}, True, Rank.BACKLOG),
        ("master", {**SET, "campaign": "again"}, False, Rank.REPROCESSING),
        ("science", {"instrument": "democam", "exposure_id": "1", "campaign": "again"}, True,
         Rank.REPROCESSING),
    ],
)  # fmt: skip
def test_each_kind_of_work_has_its_rank(kind, conf, tonight, rank):
    assert rank_of(subject_of(kind, conf), tonight=tonight) is rank


def test_the_newest_exposure_goes_first_and_calibrations_before_any(night):
    night.bring(0, 5, 300)
    place = night.context
    old, newer, newest = (priority_of(place, exposure(n, night)) for n in (0, 5, 300))
    assert 0 < old < newer < newest < priority_of(place, subject_of("master", SET)) < HIGHEST


def test_the_frames_of_an_earlier_night_and_reprocessing_go_below_the_night_that_is_under_way(night):
    night.bring(0)
    tonight = priority_of(night.context, exposure(0, night))
    night.clock.moment += timedelta(days=1)
    backlog = priority_of(night.context, exposure(0, night))
    again = priority_of(night.context, exposure(0, night, campaign="again"))
    assert tonight > backlog > again >= 0


def test_the_priority_reaches_the_runner_and_the_pool_takes_the_highest_first(night, tmp_path):
    night.calibrate()
    night.bring(0, 5)
    for request in night.due("exposure"):
        night.start(request)
    requests = list(night.runner.requests.values())
    pool = Pool(Spool(tmp_path), workers=1, warm=False)
    for place, request in enumerate(requests):
        array = pool._arrays[request.name] = Array(request.name, request, place, [TaskRecord()])
        pool._enqueue(array, 0)
    order = [pool._next()[0].request.name for _ in requests]
    assert [name.split("__")[0] for name in order] == ["master"] * 3 + ["science"] * 2
    assert [name.split("__")[2] for name in order[3:]] == [night.frames.exposure_id(5), night.frames.exposure_id(0)]


def test_only_backlog_goes_where_it_may_be_displaced(night, monkeypatch):
    profile = Profile(partition="night", qos="first", backlog_partition="backlog")
    monkeypatch.setattr(type(night.context.survey), "profile", lambda survey, kind: profile)
    night.calibrate()
    night.bring(0)
    tonight = night.runner.requests[night.start(night.due("exposure")[0])]
    assert tonight.options == {"partition": "night", "qos": "first"}
    night.bring(1)
    night.clock.moment += timedelta(days=1)
    backlog = night.runner.requests[night.start(night.due("exposure")[0])]
    assert backlog.options == {"partition": "backlog", "qos": "first", "preemptible": "yes"}
