"""The identities close for every mixture of arrivals, and do not where something is left over."""

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nightshift.night_end.identities import (
    CALIBRATIONS,
    account_arrivals,
    account_frames,
    account_sent,
    account_units,
)
from nightshift.vocabulary import Disposition, ImageType, Reason, UnitState

NAMES = st.sampled_from([f"f{i}.fits" for i in range(8)])
CONTENTS = st.sampled_from(["a", "b", "c"]).map(lambda text: hashlib.sha256(text.encode()).hexdigest())
REASONS = st.sampled_from([Reason.TRUNCATED_FILE, Reason.EMPTY_FILE, Reason.NAME_CONFLICT])
ARRIVALS = st.lists(
    st.fixed_dictionaries(
        {
            "inbox_name": NAMES,
            "sha256": st.one_of(st.none(), CONTENTS),
            "disposition": st.sampled_from(list(Disposition)),
            "reason": st.one_of(st.none(), REASONS),
            "exposure_id": st.one_of(st.none(), st.just("1")),
            "has_frame": st.just(True),
            "has_quarantine": st.just(True),
        }
    )
)
MANIFEST = st.dictionaries(NAMES, CONTENTS).map(
    lambda files: [{"file_name": name, "sha256": sha256} for name, sha256 in files.items()]
)
STATES = st.sampled_from([state for state in UnitState if state.ended])


@given(MANIFEST, ARRIVALS)
def test_what_was_sent_is_intact_or_corrupt_or_missing_whatever_arrives(entries, arrivals):
    sent = account_sent(entries, arrivals)
    assert sent.closes
    assert sum(sent.counts().values()) == len(entries)
    came = {a["inbox_name"] for a in arrivals}
    assert {m.subject for m in sent.parts["missing"]} == {e["file_name"] for e in entries} - came


@given(MANIFEST, ARRIVALS, st.randoms())
def test_one_intact_copy_is_enough_wherever_it_stands_among_the_bad_ones(entries, arrivals, random):
    good = [
        {"inbox_name": e["file_name"], "sha256": e["sha256"], "disposition": "registered", "reason": None}
        for e in entries
    ]
    mixed = [*arrivals, *good]
    random.shuffle(mixed)
    assert len(account_sent(entries, mixed).parts["received intact"]) == len(entries)


@given(MANIFEST, ARRIVALS)
def test_whatever_is_corrupt_or_missing_has_a_reason(entries, arrivals):
    sent = account_sent(entries, arrivals)
    assert all(m.reason in set(Reason) for part in ("corrupt", "missing") for m in sent.parts[part])


@given(ARRIVALS)
def test_arrivals_are_the_sum_of_their_dispositions(arrivals):
    identity = account_arrivals(arrivals)
    assert identity.closes
    assert identity.counts() == {d: Counter(a["disposition"] for a in arrivals)[d] for d in Disposition}


@given(ARRIVALS, st.integers(0, 5))
def test_an_arrival_that_is_registered_without_its_frame_leaves_the_night_open(arrivals, lost):
    broken = [
        {"inbox_name": f"lost{i}", "sha256": None, "disposition": "registered", "reason": None, "exposure_id": "1",
         "has_frame": False, "has_quarantine": False}
        for i in range(lost)
    ]  # fmt: skip
    identity = account_arrivals([*arrivals, *broken])
    assert len(identity.open) == lost
    assert identity.closes == (lost == 0)


@given(st.dictionaries(st.text(min_size=1), STATES), st.sets(st.text(min_size=1)))
def test_units_close_only_when_each_expected_one_has_ended(ends, planned):
    rows = [{"unit_key": key, "state": state, "reason": None} for key, state in ends.items()]
    identity = account_units(planned, {}, rows)
    assert identity.total == len(planned | set(ends))
    assert identity.closes == (planned <= set(ends))
    assert {m.subject for m in identity.open} == planned - set(ends)


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(list(UnitState))))
def test_a_unit_that_still_runs_is_in_no_part(ends):
    rows = [{"unit_key": key, "state": state, "reason": None} for key, state in ends.items()]
    identity = account_units([], {}, rows)
    assert {m.subject for m in identity.open} == {key for key, state in ends.items() if not state.ended}


FRAMES = st.lists(
    st.tuples(st.sampled_from(list(ImageType)), st.one_of(st.none(), st.booleans()), st.booleans()), max_size=20
)


@given(FRAMES, st.sets(st.sampled_from(CALIBRATIONS)))
def test_every_registered_frame_has_an_end_unless_no_master_looked_at_it(frames, kinds):
    rows = [
        {"instrument": "c", "exposure_id": str(i), "detector": 1, "inbox_name": str(i), "image_type": image_type,
         "invalid_reason": Reason.MANIFEST_MISMATCH if invalid else None}
        for i, (image_type, _, invalid) in enumerate(frames)
    ]  # fmt: skip
    uses = {
        ("c", str(i), 1): {"accepted": accepted, "reason": None if accepted else Reason.SATURATED}
        for i, (_, accepted, _) in enumerate(frames)
        if accepted is not None
    }
    identity = account_frames(rows, uses, {"c": kinds})
    unseen = {
        str(i)
        for i, (image_type, accepted, invalid) in enumerate(frames)
        if image_type in kinds and accepted is None and not invalid
    }
    assert {m.subject for m in identity.open} == unseen
    assert identity.closes == (not unseen)


def test_a_conflict_whose_content_the_manifest_names_is_corrupt_not_missing():
    arrivals = [
        {"inbox_name": "f", "sha256": "b", "disposition": "registered", "reason": None},
        {"inbox_name": "f", "sha256": "a", "disposition": "conflicting", "reason": Reason.NAME_CONFLICT},
    ]
    sent = account_sent([{"file_name": "f", "sha256": "a"}], arrivals)
    assert [m.reason for m in sent.parts["corrupt"]] == [Reason.MANIFEST_MISMATCH]


def test_an_imbalance_says_what_is_wrong_how_often_and_where_to_look():
    rows = [{"unit_key": f"u{i}", "state": "running", "reason": None} for i in range(3)]
    assert account_units(["v"], {}, rows).imbalance() == [
        "expected units: 3 still running (first: u0)",
        "expected units: 1 never planned (first: v)",
    ]
