"""Ids follow the rule that the settings choose: ZTF's, which its own packets confirm, or Nightshift's own."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.alerts.ids import (
    LAST_SECOND,
    NightshiftIds,
    ZtfIds,
    id_rule,
    julian_date,
    night_id,
    object_names,
    readout_channel,
)
from nightshift.alerts.schema import alert_schema
from nightshift.settings import Survey, load_survey
from nightshift.settings.models import Detector

ZTF = ZtfIds()

DAY_0 = datetime(2017, 1, 1, tzinfo=UTC)
times = st.datetimes(datetime(2017, 1, 1), datetime(2040, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("jd", "channel", "pid"),
    [(2458860.0222801, 10, 1105522281015), (2458881.6071181, 16, 1127107111615), (2458226.7635764, 11, 472263571115)],
)
def test_ids_are_those_of_real_packets(jd, channel, pid):
    time = DAY_0 + timedelta(days=jd - 2457754.5)
    assert ZTF.processing_id(time, channel) == pid
    assert julian_date(time) == jd
    assert night_id(time) == pid // 10**9


def test_the_channel_is_ztfs_own():
    camera = load_survey("ztf").camera
    channels = [readout_channel(camera, ccd, q) for ccd in range(1, 17) for q in range(1, 5)]
    assert channels == [4 * (ccd - 1) + q - 1 for ccd in range(1, 17) for q in range(1, 5)] == list(range(64))


@given(times, st.integers(0, 99), st.integers(0, 84), st.integers(0, 999), st.booleans())
def test_a_candid_says_what_it_was_made_of_and_fits_64_bits(time, channel, campaign, number, positive):
    pid = ZTF.processing_id(time, channel, campaign_number=campaign)
    candid = ZTF.candidate_id(pid, number, positive=positive)
    assert ZTF.split_candidate_id(candid) == (pid, positive, number)
    assert pid // 100 % 100 == channel and pid % 100 == 15 + campaign
    assert 0 < candid < 2**63


def test_the_early_packet_with_another_sign_code_still_parses():
    assert ZTF.split_candidate_id(472263571115115000) == (472263571115, True, 0)


@given(st.integers(0, 2**63 - 1), times)
def test_an_objects_names_are_prefix_year_and_seven_letters_and_always_the_same(candid, time):
    names = list(islice(object_names("NS", candid, time), 3))
    assert names == list(islice(object_names("NS", candid, time), 3))
    assert len(set(names)) == 3
    for name in names:
        assert name[:4] == f"NS{time:%y}" and len(name) == 11
        assert name[4:].isalpha() and name[4:].islower() and name.isascii()


def test_what_does_not_fit_its_digits_is_refused():
    with pytest.raises(ValueError, match="candidate number 1000 must be 0 to 999"):
        ZTF.candidate_id(1, 1000, positive=True)
    with pytest.raises(ValueError, match="channel 100 must be 0 to 99"):
        ZTF.processing_id(DAY_0, 100)
    with pytest.raises(ValueError, match="campaign number 85 must be 0 to 84"):
        ZTF.processing_id(DAY_0, 0, campaign_number=85)
    with pytest.raises(ValueError, match="2017"):
        night_id(DAY_0 - timedelta(days=1))


# --- Nightshift's own rule -------------------------------------------------------------------------------------

whole_seconds = st.integers(0, LAST_SECOND - 1)
candidates = st.tuples(
    whole_seconds, st.integers(0, 31), st.integers(0, 1023), st.integers(0, 99), st.integers(0, 999), st.booleans()
)


def ids_of(candidate):
    second, instrument, channel, campaign, number, positive = candidate
    rule = NightshiftIds(instrument)
    pid = rule.processing_id(DAY_0 + timedelta(seconds=second), channel, campaign_number=campaign)
    return pid, rule.candidate_id(pid, number, positive=positive)


@given(candidates, candidates)
def test_no_two_candidates_share_an_id(first, second):
    (first_pid, first_candid), (second_pid, second_candid) = ids_of(first), ids_of(second)
    assert (first_candid == second_candid) == (first == second)
    assert (first_pid == second_pid) == (first[:4] == second[:4])


@given(candidates, candidates)
def test_ids_sort_by_time(first, second):
    assert (ids_of(first) < ids_of(second)) == (first[:4] < second[:4]) or first[:4] == second[:4]


@given(candidates)
def test_an_id_gives_its_parts_back(candidate):
    pid, candid = ids_of(candidate)
    assert NightshiftIds.split_processing_id(pid) == candidate[:4]
    assert NightshiftIds(candidate[1]).split_candidate_id(candid) == (pid, candidate[5], candidate[4])


@given(candidates)
def test_an_id_fits_a_bigint_and_the_packets_long(candidate):
    assert 0 <= ids_of(candidate)[1] < 2**63
    fields = {field["name"]: field["type"] for field in alert_schema()["fields"]}
    assert fields["candid"] == "long"


def test_the_last_id_of_all_still_fits_and_the_seconds_last_until_2061():
    assert 0 < ids_of((LAST_SECOND - 1, 31, 1023, 99, 999, True))[1] < 2**63
    assert (DAY_0 + timedelta(seconds=LAST_SECOND)).year == 2061


@given(
    st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 99), st.integers(0, 1023), st.integers(0, 999)),
    st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 99), st.integers(0, 1023), st.integers(0, 999)),
)
def test_no_two_references_share_an_id(first, second):
    ids = [NightshiftIds(3).reference_id(*reference) for reference in (first, second)]
    assert (ids[0] == ids[1]) == (first == second)
    assert all(0 <= number < 2**63 for number in ids)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instrument": 32}, "instrument number 32 must be 0 to 31"),
        ({"channel": 1024}, "channel 1024 must be 0 to 1023"),
        ({"campaign": 100}, "campaign number 100 must be 0 to 99"),
        ({"number": 1000}, "candidate number 1000 must be 0 to 999"),
        ({"second": LAST_SECOND}, "second since 2017-01-01"),
        ({"second": -1}, "second since 2017-01-01"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_limit(change, said):
    parts = {"second": 0, "instrument": 0, "channel": 0, "campaign": 0, "number": 0, "positive": True} | change
    with pytest.raises(ValueError, match=said):
        ids_of(tuple(parts.values()))


# --- the settings choose ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "lowell42", "ztf"])
def test_the_shipped_surveys_keep_ztfs_rule(name):
    survey = load_survey(name)
    assert id_rule(survey.alerts, survey.camera) == ZtfIds()


def mosaic(detectors: int, rule: str) -> Survey:
    demo = load_survey("demo")
    camera = demo.camera.model_copy(
        update={"detectors": tuple(Detector(id=i) for i in range(1, detectors + 1)), "number": 7}
    )
    alerts = demo.alerts.model_copy(update={"ids": rule})
    return Survey.model_validate(demo.model_copy(update={"camera": camera, "alerts": alerts}).model_dump())


def test_a_mosaic_of_189_detectors_gets_its_ids_by_nightshifts_rule():
    survey = mosaic(189, "nightshift")
    rule = id_rule(survey.alerts, survey.camera)
    assert rule == NightshiftIds(7)
    channels = [readout_channel(survey.camera, d, q) for d in range(1, 190) for q in (1, 2)]
    assert len({rule.processing_id(DAY_0, channel) for channel in channels}) == 378


@pytest.mark.parametrize(
    ("detectors", "rule", "said"),
    [(51, "ztf", '102 read-out channels.*numbers 100: set alerts.ids = "nightshift"'),
     (513, "nightshift", "1026 read-out channels.*numbers 1024: no rule")],
)  # fmt: skip
def test_a_camera_of_more_channels_than_the_rule_numbers_is_refused(detectors, rule, said):
    with pytest.raises(ValueError, match=said):
        mosaic(detectors, rule)
