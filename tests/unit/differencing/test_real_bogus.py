"""The real-bogus model: what it is trained on, how it is kept, and that it tells real from bogus."""

import json
from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SETTINGS, scene

from nightshift.realbogus import REAL_BOGUS
from reduction.difference.star_residuals import PATTERNS, measure_star_residuals
from reduction.measure.zero_point import ZeroPoint
from reduction.realbogus.classifier import read_model
from reduction.realbogus.features import FEATURES, features
from rehearsal.simulator.survey_pair import PairPlan, make_pair
from rehearsal.training import train_model
from rehearsal.training.examples import Examples, kept_examples
from rehearsal.training.pairs import prepare
from rehearsal.training.train_model import HELD_OUT_SEEDS, ODD_SEEDS, TEST_SEEDS, TRAINING_SEEDS, missed_at, train


@pytest.fixture(scope="module")
def model():
    return read_model(REAL_BOGUS)


def test_the_model_that_ships_carries_the_record_of_its_training(model):
    assert model.version
    record = model.record
    assert record["real"] > 10_000 and record["bogus"] > 5_000
    assert len(record["examples_sha256"]) == 64
    assert 0 <= record["missed_percent_at_2_percent_false"] < 5
    assert REAL_BOGUS.stat().st_size < 200_000


def test_no_pair_is_both_learnt_from_and_tested_on(model):
    record = model.record
    used = [range(*record[name]) for name in ("training_seeds", "odd_seeds", "held_out_seeds")]
    for seeds in (*used, TRAINING_SEEDS, ODD_SEEDS, HELD_OUT_SEEDS):
        assert not set(seeds) & set(TEST_SEEDS)
    assert len({seed for seeds in used for seed in seeds}) == sum(map(len, used))


def test_a_pair_is_differenced_at_its_zero_point_whatever_slope_its_pixels_have():
    plain = make_pair(7, PairPlan(shape=(256, 256), stars=12_000, new=4000))
    slope = 2.5 * np.log10(1.05)  # magnitudes, from the middle to the last column
    shade = (10 ** (0.4 * slope * np.linspace(-1, 1, 256))).astype(np.float32)
    shaded = replace(
        plain.science,
        image=plain.science.image * shade,
        variance=plain.science.variance * shade**2,
        header={**plain.science.header, **ZeroPoint(26.5, 0.02, 500, spatial=np.array([slope])).keywords()},
    )
    changes, places = [], []
    one, other = (prepare(pair) for pair in (plain, replace(plain, science=shaded)))
    found = other.candidates(other.difference(SETTINGS))
    for candidate in one.candidates(one.difference(SETTINGS)):
        again = min(found, key=lambda c: np.hypot(c.x - candidate.x, c.y - candidate.y))
        if np.hypot(again.x - candidate.x, again.y - candidate.y) < 0.5:
            changes.append(again.flux / candidate.flux - 1)
            places.append(candidate.x / 127.5 - 1)
    assert len(changes) >= 10
    assert np.abs(changes).max() < 0.005 and np.ptp(places) > 1


def test_new_sources_look_more_real_than_residuals_of_stars(model):
    pair = scene()
    difference = pair.difference()
    real = model.score(features(difference, pair.science, pair.candidates(difference)))
    assert len(real) >= 10
    still = scene(new=0, seed=51)
    moved = replace(still, reference=replace(still.reference, wcs=_shifted(still.reference.wcs)))
    spoiled = moved.difference(replace(SETTINGS, kernel_order=0, star_noise=False))
    residuals = moved.candidates(spoiled)
    bogus = model.score(features(spoiled, moved.science, residuals)) if residuals else np.zeros(0)
    assert np.median(real) > 0.8
    assert (bogus < np.median(real)).all()


def _shifted(wcs):
    moved = wcs.deepcopy()
    moved.wcs.cd *= 1.0015  # a tenth of a pixel at the edges
    return moved


def test_features_are_finite_whatever_the_candidate():
    pair = scene()
    difference = pair.difference()
    candidates = pair.candidates(difference)
    table = features(difference, pair.science, candidates)
    assert table.shape == (len(candidates), len(FEATURES))
    assert np.isfinite(table).all()
    assert features(difference, pair.science, []).shape == (0, len(FEATURES))


def test_features_do_not_know_whether_the_score_counts_the_noise_of_stars():
    pair = scene()
    with_it, without = (pair.difference(replace(SETTINGS, star_noise=on)) for on in (True, False))
    assert not np.array_equal(with_it.score, without.score)
    candidates = pair.candidates(with_it)
    np.testing.assert_array_equal(
        features(with_it, pair.science, candidates), features(without, pair.science, candidates)
    )


def test_stars_foretell_what_is_left_between_them():
    still = scene(new=0, seed=51)
    stretched = replace(still, reference=replace(still.reference, wcs=_shifted(still.reference.wcs)))
    difference = stretched.difference(replace(SETTINGS, kernel_order=0, star_noise=False))
    found = measure_star_residuals(difference)
    expected, _ = found.foretell(np.array([30.0, 226.0]), np.array([128.0, 128.0]), beyond=8.0)
    left, right = expected[:, PATTERNS.index("slope_x")]
    assert left * right < 0 and min(abs(left), abs(right)) > 0.05
    assert found.left[1] < found.scatter[1] / 2


def test_training_tells_apart_what_can_be_told_apart_and_is_kept_in_its_file(tmp_path):
    random = np.random.default_rng(6)
    real = random.random(1200) < 0.5
    table = random.normal(size=(1200, len(FEATURES))).astype(np.float32)
    table[:, 3] += np.where(real, 2.5, -2.5)
    trained = train(Examples(table, real, np.full(1200, 5.0)), "test-1", {"why": "a test"})
    path = tmp_path / "model.json"
    path.write_text(json.dumps(trained.to_json()))
    assert json.dumps(train(Examples(table, real, np.full(1200, 5.0)), "test-1", {"why": "a test"}).to_json()) == (
        path.read_text()
    )
    again = read_model(path)
    assert again.version == "test-1" and again.record["why"] == "a test"
    np.testing.assert_allclose(again.score(table), trained.score(table), atol=1e-3)
    np.testing.assert_allclose(again.score(table), _of_library(table, real), atol=1e-3)
    missed, threshold = missed_at(again.score(table), real)
    assert missed < 0.1 and 0 < threshold < 1


def _of_library(table, real):
    """What scikit-learn itself says, trained alike."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    same = HistGradientBoostingClassifier(
        max_iter=train_model.TREES, max_leaf_nodes=train_model.LEAVES, learning_rate=train_model.RATE,
        min_samples_leaf=train_model.LEAST_IN_LEAF, l2_regularization=train_model.PENALTY, early_stopping=False,
    )  # fmt: skip
    return same.fit(table, real).predict_proba(table)[:, 1]


def test_examples_that_are_kept_are_not_drawn_again(tmp_path, monkeypatch):
    examples = Examples(np.ones((3, len(FEATURES)), np.float32), np.array([True, False, True]), np.full(3, 5.0))
    drawn = []
    monkeypatch.setattr(
        "rehearsal.training.examples.draw_examples", lambda seed, **more: drawn.append(seed) or examples
    )
    first, second = (kept_examples(tmp_path, 7, size=256) for _ in range(2))
    assert drawn == [7]
    assert first.sha256() == second.sha256() == examples.sha256()
    kept_examples(tmp_path, 7, size=256, odd=True)
    assert drawn == [7, 7]


def test_a_model_of_other_features_is_not_read(tmp_path):
    content = json.loads(REAL_BOGUS.read_text())
    content["features"] = content["features"][:-1]
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="train it anew"):
        read_model(path)
