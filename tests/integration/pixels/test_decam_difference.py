"""Two epochs of DECam: our difference beside another package's, where the stamps are (``NIGHTSHIFT_DATA``)."""

import pytest

from benchmarks.decam import compare, folder

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not folder().is_dir(), reason=f"no DECam stamps at {folder()}; set NIGHTSHIFT_DATA"),
]


def test_a_difference_of_real_stacks_is_as_clean_as_another_packages_and_shows_the_same():
    compared = compare(folder())
    figures = compared.figures()
    assert figures["noise_ratio"] < 1.05
    assert figures["correlation"] > 0.88
    assert figures["correlation_of_noise"] > 0.94
    # The one source that changed, at the middle of the stamp: the same place and flux in both.
    assert len(compared.candidates) == len(compared.candidates_in_theirs) == 1
    ours, theirs = compared.candidates[0], compared.candidates_in_theirs[0]
    assert ours.positive
    assert abs(ours.x - theirs.x) < 0.2 and abs(ours.y - theirs.y) < 0.2
    assert figures["flux_ratio"] == pytest.approx(1, abs=0.05)
