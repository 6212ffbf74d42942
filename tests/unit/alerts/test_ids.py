"""Ids follow ZTF's rules, which its own packets confirm."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.alerts.ids import (
    candidate_id,
    julian_date,
    night_id,
    object_names,
    processing_id,
    readout_channel,
    split_candidate_id,
)
from nightshift.settings import load_survey

DAY_0 = datetime(2017, 1, 1, tzinfo=UTC)
times = st.datetimes(datetime(2017, 1, 1), datetime(2040, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("jd", "channel", "pid"),
    [(2458860.0222801, 10, 1105522281015), (2458881.6071181, 16, 1127107111615), (2458226.7635764, 11, 472263571115)],
)
def test_ids_are_those_of_real_packets(jd, channel, pid):
    time = DAY_0 + timedelta(days=jd - 2457754.5)
    assert processing_id(time, channel) == pid
    assert julian_date(time) == jd
    assert night_id(time) == pid // 10**9


def test_the_channel_is_ztfs_own():
    camera = load_survey("ztf").camera
    channels = [readout_channel(camera, ccd, q) for ccd in range(1, 17) for q in range(1, 5)]
    assert channels == [4 * (ccd - 1) + q - 1 for ccd in range(1, 17) for q in range(1, 5)] == list(range(64))


@given(times, st.integers(0, 99), st.integers(0, 84), st.integers(0, 999), st.booleans())
def test_a_candid_says_what_it_was_made_of_and_fits_64_bits(time, channel, campaign, number, positive):
    pid = processing_id(time, channel, campaign_number=campaign)
    candid = candidate_id(pid, number, positive=positive)
    assert split_candidate_id(candid) == (pid, positive, number)
    assert pid // 100 % 100 == channel and pid % 100 == 15 + campaign
    assert 0 < candid < 2**63


def test_the_early_packet_with_another_sign_code_still_parses():
    assert split_candidate_id(472263571115115000) == (472263571115, True, 0)


@given(st.integers(0, 2**63 - 1), times)
def test_an_objects_names_are_prefix_year_and_seven_letters_and_always_the_same(candid, time):
    names = list(islice(object_names("NS", candid, time), 3))
    assert names == list(islice(object_names("NS", candid, time), 3))
    assert len(set(names)) == 3
    for name in names:
        assert name[:4] == f"NS{time:%y}" and len(name) == 11
        assert name[4:].isalpha() and name[4:].islower() and name.isascii()


def test_what_does_not_fit_its_digits_is_refused():
    with pytest.raises(ValueError, match="three digits"):
        candidate_id(1, 1000, positive=True)
    with pytest.raises(ValueError, match="0 to 99"):
        processing_id(DAY_0, 100)
    with pytest.raises(ValueError, match="2017"):
        night_id(DAY_0 - timedelta(days=1))
