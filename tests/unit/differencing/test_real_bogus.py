"""The real-bogus model: what it is trained on, how it is kept, and that it tells real from bogus."""

import json
from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SETTINGS, scene

from nightshift.jobs.differencing import REAL_BOGUS
from nightshift.realbogus.examples import Examples
from nightshift.realbogus.training import missed_at, train
from reduction.real_bogus import FEATURES, features, read_model


@pytest.fixture(scope="module")
def model():
    return read_model(REAL_BOGUS)


def test_the_model_that_ships_carries_the_record_of_its_training(model):
    assert model.version
    record = model.record
    assert record["real"] > 1000 and record["bogus"] > 500
    assert not set(range(*record["training_seeds"])) & set(range(*record["test_seeds"]))
    assert record["missed_percent_at_2_percent_false"] >= 0


def test_new_sources_look_more_real_than_residuals_of_stars(model):
    pair = scene()
    difference = pair.difference()
    real = model.score(features(difference, pair.candidates(difference)))
    assert len(real) >= 10
    still = scene(new=0, seed=51)
    moved = replace(still, reference=replace(still.reference, wcs=_shifted(still.reference.wcs)))
    spoiled = moved.difference(replace(SETTINGS, kernel_order=0, star_noise=False))
    residuals = moved.candidates(spoiled)
    bogus = model.score(features(spoiled, residuals)) if residuals else np.zeros(0)
    assert np.median(real) > 0.8
    assert (bogus < np.median(real)).all()


def _shifted(wcs):
    moved = wcs.deepcopy()
    moved.wcs.cd *= 1.0015  # a tenth of a pixel at the edges
    return moved


def test_features_are_finite_whatever_the_candidate():
    pair = scene()
    difference = pair.difference()
    table = features(difference, pair.candidates(difference))
    assert table.shape[1] == len(FEATURES)
    assert np.isfinite(table).all()
    assert features(difference, []).shape == (0, len(FEATURES))


def test_training_tells_apart_what_can_be_told_apart_and_is_kept_in_its_file(tmp_path):
    random = np.random.default_rng(6)
    real = random.random(1200) < 0.5
    table = random.normal(size=(1200, len(FEATURES))).astype(np.float32)
    table[:, 3] += np.where(real, 2.5, -2.5)
    trained = train(Examples(table, real, np.full(1200, 5.0)), "test-1", {"why": "a test"})
    path = tmp_path / "model.json"
    path.write_text(json.dumps(trained.to_json()))
    again = read_model(path)
    assert again.version == "test-1" and again.record["why"] == "a test"
    np.testing.assert_allclose(again.score(table), trained.score(table), atol=1e-3)
    missed, threshold = missed_at(again.score(table), real)
    assert missed < 0.1 and 0 < threshold < 1


def test_a_model_of_other_features_is_not_read(tmp_path):
    content = json.loads(REAL_BOGUS.read_text())
    content["features"] = content["features"][:-1]
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="train it anew"):
        read_model(path)
