"""Faults on request: the registry, the choice of what is hit, and the truth about it."""

import json
from pathlib import Path

import pytest

from nightshift.errors import BadInput, NeedsOperator
from nightshift.settings import load_survey
from rehearsal.simulator.fault_table import fault_page
from rehearsal.simulator.faults import FAULTS, read_requests
from rehearsal.simulator.scale import NightScale
from rehearsal.simulator.simulate import simulate_night

DOCUMENT = Path(__file__).parents[3] / "docs" / "faults.md"
SCALE = NightScale(fields=1, filters=1, visits=3, biases=1, darks=0, flats=0, shape=(160, 176))
SOME = ("truncated", "missing", "conflict", "late_after_closing", "rice_bomb")


def simulated(folder, *faults, scale=SCALE):
    return simulate_night(load_survey("demo"), folder, seed=5, scale=scale, faults=read_requests(faults))


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """A night without faults, and the same with some."""
    folder = tmp_path_factory.mktemp("nights")
    return simulated(folder / "plain"), simulated(folder / "hard", *SOME)


def truth(night):
    return {row["fault"]: row for row in json.loads((night.truth / "faults.json").read_text())}


def test_the_page_of_faults_is_the_registry():
    assert DOCUMENT.read_text() == fault_page()


def test_all_means_every_fault_and_names_may_stand_behind_commas_with_selectors():
    assert [r.fault.name for r in read_requests(["all"])] == list(FAULTS)
    found = [(r.fault.name, r.selector) for r in read_requests(["late:0093, clouds", "empty"])]
    assert found == [("late", "0093"), ("clouds", ""), ("empty", "")]


def test_an_unknown_fault_is_refused_with_those_that_there_are():
    with pytest.raises(BadInput, match=r"there is no fault 'fire'.*all_saturated"):
        read_requests(["fire"])


def test_files_that_no_fault_hits_are_the_same_with_and_without_faults(nights):
    plain, hard = nights
    hit = {name for row in truth(hard).values() for name in row["files"]}
    before, after = content(plain.raw), content(hard.raw)
    assert hit and {n: c for n, c in before.items() if n not in hit} == {
        n: c for n, c in after.items() if n not in hit and not n.startswith("again/")
    }


def test_the_same_seed_gives_the_same_faults_and_bytes(nights, tmp_path):
    again = simulated(tmp_path / "hard", *SOME)
    assert content(again.folder) == content(nights[1].folder)


def test_the_order_of_sending_holds_the_missing_file_never_and_the_late_one_last(nights):
    hard, rows = nights[1], truth(nights[1])
    names = [path.name for path in hard.files]
    assert rows["missing"]["files"][0] not in names
    assert [path.name for path in hard.after_closing] == rows["late_after_closing"]["files"]
    assert names.count(rows["conflict"]["files"][0]) == 2
    listed = {entry["name"] for entry in json.loads(hard.manifest.read_text())["files"]}
    assert {rows["missing"]["files"][0], rows["late_after_closing"]["files"][0]} <= listed


def test_a_bomb_is_small(nights):
    hard = nights[1]
    (name,) = truth(hard)["rice_bomb"]["files"]
    assert (hard.raw / name).stat().st_size < 2_000_000


def test_a_selector_says_which_file_is_hit(nights, tmp_path):
    name = nights[0].files[-1].name
    hard = simulated(tmp_path / "chosen", f"empty:{name}")
    assert truth(hard)["empty"]["files"] == [name]
    assert (hard.raw / name).read_bytes() == b""


def test_a_night_that_is_too_short_for_its_faults_is_refused(tmp_path):
    with pytest.raises(NeedsOperator, match="a longer night"):
        simulated(tmp_path / "short", "all")
