"""The real night of the Hall telescope through the jobs, where its files are at hand (``NIGHTSHIFT_DATA``)."""

import pytest

from benchmarks._lowell import Night
from nightshift.vocabulary import AttemptState

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not Night.place().is_dir(), reason=f"the real night is not at {Night.place()}; set NIGHTSHIFT_DATA"
    ),
]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return Night(tmp_path_factory.mktemp("night"), Night.place())


@pytest.fixture(scope="module")
def masters(night):
    return night.masters()


def test_the_flat_of_another_filter_and_the_bright_one_are_kept_out_with_their_reasons(masters):
    assert masters["bias"].state == AttemptState.SUCCEEDED, masters["bias"].detail
    assert masters["bias"].metrics["frames"] == 12
    assert masters["flat"].state == AttemptState.SUCCEEDED, masters["flat"].detail
    reasons = {row["key"]: row["reason"] for row in masters["flat"].rows["frames"] if not row["accepted"]}
    assert reasons == {"0100": "filter_mismatch", "0101": "level_out_of_range"}


def test_frames_of_the_night_are_measured_against_its_first(night, masters):
    for number in ("0126", "0140", "0192"):
        result = night.science(number)
        assert result.state == AttemptState.SUCCEEDED, result.detail
        assert result.flags == ("own_catalogue",)
        assert 1.2 < result.metrics["fwhm_px"] < 3.5
        if number != night.numbers[0]:
            assert result.metrics["stars_matched"] > 300
            assert result.metrics["astrometry_rms_arcsec"] < 0.1
            assert result.metrics["zero_point"] == pytest.approx(25.0, abs=0.2)


def test_both_objects_that_move_through_the_field_are_candidates_and_little_else_is(night, masters):
    for number in (*night.numbers[:6], "0184"):
        if not (night.folder / number / "sources.fits").exists():
            night.science(number)
    night.reference()
    rows = night.difference("0184").rows["candidates"]
    for x, y in ((658.6, 693.7), (227.2, 748.8)):  # 0-based, in its own grid
        row = min(rows, key=lambda r: (r["x"] - x) ** 2 + (r["y"] - y) ** 2)
        assert (row["x"] - x) ** 2 + (row["y"] - y) ** 2 < 2**2
        assert row["positive"] and row["signal_to_noise"] > 20 and row["record"]["rb"] > 0.5
    assert len(rows) < 35
