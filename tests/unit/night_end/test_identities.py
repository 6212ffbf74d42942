"""The identities close for every mixture of arrivals, and do not where something is left over."""

import hashlib
from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from nightshift.ledger.queries.night_end import (
    ArrivalOfNight,
    ArrivalOnManifest,
    CalibrationUse,
    FrameOfNight,
    ManifestEntry,
    UnitOfNight,
)
from nightshift.night_end.identities import (
    CALIBRATIONS,
    account_arrivals,
    account_frames,
    account_sent,
    account_units,
)
from nightshift.vocabulary import Disposition, ImageType, Reason, UnitState

THEN = datetime(2026, 1, 16, tzinfo=UTC)


def arrival(name: str, disposition: str, reason=None, *, has_frame=True, exposure_id="1") -> ArrivalOfNight:
    return ArrivalOfNight(
        "key", name, 1, None, Disposition(disposition), reason, "", THEN, exposure_id, has_frame=has_frame,
        has_quarantine=True,
    )  # fmt: skip


def on_manifest(name: str, sha256, disposition: str, reason=None) -> ArrivalOnManifest:
    return ArrivalOnManifest(name, sha256, Disposition(disposition), reason, "")


def unit(key: str, state: str) -> UnitOfNight:
    return UnitOfNight(key, "c", "1", 1, 1, UnitState(state), None, "", [])


NAMES = st.sampled_from([f"f{i}.fits" for i in range(8)])
CONTENTS = st.sampled_from(["a", "b", "c"]).map(lambda text: hashlib.sha256(text.encode()).hexdigest())
REASONS = st.one_of(st.none(), st.sampled_from([Reason.TRUNCATED_FILE, Reason.EMPTY_FILE, Reason.NAME_CONFLICT]))
DISPOSITIONS = st.sampled_from(list(Disposition))
ARRIVALS = st.lists(st.builds(arrival, NAMES, DISPOSITIONS, REASONS, exposure_id=st.one_of(st.none(), st.just("1"))))
ON_MANIFEST = st.lists(st.builds(on_manifest, NAMES, st.one_of(st.none(), CONTENTS), DISPOSITIONS, REASONS))
MANIFEST = st.dictionaries(NAMES, CONTENTS).map(
    lambda files: [ManifestEntry(name, 1, sha256, 1) for name, sha256 in files.items()]
)
STATES = st.sampled_from([state for state in UnitState if state.ended])


@given(MANIFEST, ON_MANIFEST)
def test_what_was_sent_is_intact_or_corrupt_or_missing_whatever_arrives(entries, arrivals):
    sent = account_sent(entries, arrivals)
    assert sent.closes
    assert sum(sent.counts().values()) == len(entries)
    came = {a.inbox_name for a in arrivals}
    assert {m.subject for m in sent.parts["missing"]} == {e.file_name for e in entries} - came


@given(MANIFEST, ON_MANIFEST, st.randoms())
def test_one_intact_copy_is_enough_wherever_it_stands_among_the_bad_ones(entries, arrivals, random):
    good = [on_manifest(e.file_name, e.sha256, "registered") for e in entries]
    mixed = [*arrivals, *good]
    random.shuffle(mixed)
    assert len(account_sent(entries, mixed).parts["received intact"]) == len(entries)


@given(MANIFEST, ON_MANIFEST)
def test_whatever_is_corrupt_or_missing_has_a_reason(entries, arrivals):
    sent = account_sent(entries, arrivals)
    assert all(m.reason in set(Reason) for part in ("corrupt", "missing") for m in sent.parts[part])


@given(ARRIVALS)
def test_arrivals_are_the_sum_of_their_dispositions(arrivals):
    identity = account_arrivals(arrivals)
    assert identity.closes
    assert identity.counts() == {d: Counter(a.disposition for a in arrivals)[d] for d in Disposition}


@given(ARRIVALS, st.integers(0, 5))
def test_an_arrival_that_is_registered_without_its_frame_leaves_the_night_open(arrivals, lost):
    broken = [arrival(f"lost{i}", "registered", has_frame=False) for i in range(lost)]
    identity = account_arrivals([*arrivals, *broken])
    assert len(identity.open) == lost
    assert identity.closes == (lost == 0)


@given(st.dictionaries(st.text(min_size=1), STATES), st.sets(st.text(min_size=1)))
def test_units_close_only_when_each_expected_one_has_ended(ends, planned):
    rows = [unit(key, state) for key, state in ends.items()]
    identity = account_units(planned, {}, rows)
    assert identity.total == len(planned | set(ends))
    assert identity.closes == (planned <= set(ends))
    assert {m.subject for m in identity.open} == planned - set(ends)


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(list(UnitState))))
def test_a_unit_that_still_runs_is_in_no_part(ends):
    rows = [unit(key, state) for key, state in ends.items()]
    identity = account_units([], {}, rows)
    assert {m.subject for m in identity.open} == {key for key, state in ends.items() if not state.ended}


FRAMES = st.lists(
    st.tuples(st.sampled_from(list(ImageType)), st.one_of(st.none(), st.booleans()), st.booleans()), max_size=20
)


@given(FRAMES, st.sets(st.sampled_from(CALIBRATIONS)))
def test_every_registered_frame_has_an_end_unless_no_master_looked_at_it(frames, kinds):
    rows = [
        FrameOfNight(
            "c",
            str(i),
            1,
            str(i),
            "",
            "",
            1,
            Reason.MANIFEST_MISMATCH if invalid else None,
            image_type,
            "",
            None,
            THEN,
        )
        for i, (image_type, _, invalid) in enumerate(frames)
    ]
    uses = {
        ("c", str(i), 1): CalibrationUse("c", str(i), 1, accepted, None if accepted else Reason.SATURATED, None)
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
        on_manifest("f", "b", "registered"),
        on_manifest("f", "a", "conflicting", Reason.NAME_CONFLICT),
    ]
    sent = account_sent([ManifestEntry("f", 1, "a", 1)], arrivals)
    assert [m.reason for m in sent.parts["corrupt"]] == [Reason.MANIFEST_MISMATCH]


def test_an_imbalance_says_what_is_wrong_how_often_and_where_to_look():
    rows = [unit(f"u{i}", "running") for i in range(3)]
    assert account_units(["v"], {}, rows).imbalance() == [
        "expected units: 3 still running (first: u0)",
        "expected units: 1 never planned (first: v)",
    ]
