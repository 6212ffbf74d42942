"""Thirty kills at random moments over three nights: each night ends as the undisturbed one did."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from kills import Kill, Night, PlayedNight, differences, draw

from rehearsal.stand_ins.single_node_kafka import missing

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(2400)]

KILLS = draw(30, 3, seed=3)


@pytest.fixture(scope="module")
def folder():
    made = Path(tempfile.mkdtemp(prefix="nightshift-kills-"))
    made.chmod(0o755)  # where root plays the nights, the databases are another user's
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(folder) -> PlayedNight:
    night = Night(folder / "undisturbed").play()
    assert night.code == 0, night.log.read_text()[-4000:]
    assert len(night.candids) > 0
    return night


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_night_with_ten_kills_ends_as_the_undisturbed_one(folder, undisturbed, number):
    night = Night(folder / f"killed{number}").play(KILLS[number], work=undisturbed.work)
    print("\n".join(night.kills))
    assert len(night.kills) >= 8  # the night may end before the last
    assert list(differences(undisturbed, night)) == [], night.log.read_text()[-4000:]


def test_a_night_with_one_worker_ends_as_one_with_two(folder, undisturbed):
    night = Night(folder / "one_worker", environment={"NIGHTSHIFT_WORKERS": "1"}).play()
    assert list(differences(undisturbed, night)) == []


def test_a_night_whose_kafka_is_killed_ends_as_the_undisturbed_one(folder, undisturbed):
    if lack := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lack)
    kills = [Kill("broker", share) for share in (0.6, 0.75, 0.9)]
    night = Night(folder / "kafka", environment={"NIGHTSHIFT_BROKERS": "kafka"}).play(kills, work=undisturbed.work)
    print("\n".join(night.kills))
    assert len(night.kills) >= 2
    assert list(differences(undisturbed, night)) == []
