"""Train the real-bogus model on simulated examples and hold it to others that it has not seen."""

import math
from collections.abc import Iterable

import numpy as np

from nightshift.errors import NeedsOperator
from nightshift.realbogus.examples import SIGMA, Examples, draw_examples
from nightshift.vocabulary import Reason
from reduction.real_bogus import RealBogusModel

__all__ = ["TEST_SEEDS", "TRAINING_SEEDS", "examples_of", "missed_at", "train"]

TRAINING_SEEDS = range(10_000, 10_016)
TEST_SEEDS = range(20_000, 20_012)
TREES, DEPTH = 400, 4
FALSE_AT_MOST = 0.02


def examples_of(seeds: Iterable[int], *, size: int = 1024) -> Examples:
    """Draw the examples of several pairs."""
    return Examples.joined([draw_examples(seed, size=size) for seed in seeds])


def train(examples: Examples, version: str, record: dict | None = None) -> RealBogusModel:
    """Fit a model.

    Parameters
    ----------
    examples : Examples
    version : str
        What packets will say in ``rbversion``.
    record : dict, optional
        What is to be kept with the model, beyond what is known here.

    Raises
    ------
    NeedsOperator
        Where scikit-learn is not installed: applying a model does not need it, training does.
    """
    try:
        from sklearn.ensemble import GradientBoostingClassifier
    except ImportError as error:
        raise NeedsOperator(Reason.INPUT_LOST, "training needs scikit-learn: install nightshift[train]") from error
    boosted = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=0.06, subsample=0.6, min_samples_leaf=8,
        max_features=9, random_state=1,
    ).fit(examples.table, examples.real)  # fmt: skip
    share = float(examples.real.mean())
    known = {
        "real": int(examples.real.sum()),
        "bogus": int((~examples.real).sum()),
        "sigma": SIGMA,
        "trees": TREES,
        "depth": DEPTH,
    }
    trees = [one.tree_ for one in boosted.estimators_[:, 0]]
    starts = np.cumsum([0] + [tree.node_count for tree in trees])
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    parts = np.concatenate([boosted.learning_rate * tree.value[:, 0, 0] for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    left, right = (
        np.concatenate(
            [np.maximum(getattr(tree, side), 0) + start for tree, start in zip(trees, starts, strict=False)]
        )
        for side in ("children_left", "children_right")
    )
    return RealBogusModel(
        version=version,
        offset=math.log(share / (1 - share)),
        roots=starts[:-1].astype(np.int32),
        feature=np.where(leaf, -1, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
        value=np.where(leaf, parts, thresholds).astype(np.float32),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        record={**known, **(record or {})},
    )


def missed_at(score: np.ndarray, real: np.ndarray, false_share: float = FALSE_AT_MOST) -> tuple[float, float]:
    """Return the share of real ones below the threshold that so many bogus pass, and that threshold."""
    threshold = float(np.quantile(score[~real], 1 - false_share))
    return float((score[real] <= threshold).mean()), threshold
