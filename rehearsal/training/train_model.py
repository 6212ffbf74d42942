"""Train the real-bogus model on simulated examples and hold it to others that it has not seen."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nightshift.errors import NeedsOperator
from nightshift.vocabulary import Reason
from reduction.realbogus.classifier import RealBogusModel
from rehearsal.training.examples import NONE, SIGMA, Examples, draw_examples, kept_examples

__all__ = ["HELD_OUT_SEEDS", "ODD_SEEDS", "TEST_SEEDS", "TRAINING_SEEDS", "examples_of", "missed_at", "train"]

# Pairs to learn from, pairs to judge a model by while it is made, and pairs that only the benchmark may look at.
TRAINING_SEEDS, ODD_SEEDS = range(10_000, 10_108), range(15_000, 15_048)
HELD_OUT_SEEDS = range(20_000, 20_012)
TEST_SEEDS = range(31_000, 31_032)  # 30_000 to 30_031 were looked at before
TREES, LEAVES, RATE, LEAST_IN_LEAF, PENALTY = 400, 24, 0.05, 20, 5.0
FALSE_AT_MOST = 0.02


def examples_of(seeds: Iterable[int], *, size: int = 1024, odd: bool = False, keep: Path | None = None) -> Examples:
    """Draw the examples of several pairs; with `keep` those that the folder has are taken from there."""
    if keep is None:
        return Examples.joined([NONE, *(draw_examples(seed, size=size, odd=odd) for seed in seeds)])
    return Examples.joined([NONE, *(kept_examples(keep, seed, size=size, odd=odd) for seed in seeds)])


def train(examples: Examples, version: str, record: dict[str, Any] | None = None) -> RealBogusModel:
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
        import sklearn
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise NeedsOperator(Reason.INPUT_LOST, "training needs scikit-learn: install nightshift[train]") from error
    boosted = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, min_samples_leaf=LEAST_IN_LEAF,
        l2_regularization=PENALTY, early_stopping=False, random_state=1,
    ).fit(examples.table, examples.real)  # fmt: skip
    share = float(examples.real.mean())
    known = {
        "real": int(examples.real.sum()),
        "bogus": int((~examples.real).sum()),
        "sigma": SIGMA,
        "examples_sha256": examples.sha256(),
        "learner": {
            "trees": TREES, "leaves": LEAVES, "rate": RATE, "least_in_leaf": LEAST_IN_LEAF, "penalty": PENALTY,
            "scikit_learn": sklearn.__version__,
        },
    }  # fmt: skip
    nodes: list[tuple[int, float, int]] = []  # feature or -1, threshold or part of the logit, the node to the right
    roots = []
    for (tree,) in boosted._predictors:
        roots.append(len(nodes))
        _lay_out(tree.nodes, 0, nodes)
    feature, value, right = (np.array(column) for column in zip(*nodes, strict=True))
    return RealBogusModel(
        version=version,
        offset=math.log(share / (1 - share)),
        roots=np.array(roots, np.int32),
        feature=feature.astype(np.int16),
        value=value.astype(np.float32),
        right=right.astype(np.int32),
        record={**known, **(record or {})},
    )


def _lay_out(tree: np.ndarray, k: int, nodes: list[tuple[int, float, int]]) -> None:
    """Append a node of scikit-learn's tree and all below it, those to the left first."""
    node = tree[k]
    if node["is_leaf"]:
        nodes.append((-1, float(node["value"]), 0))
        return
    place = len(nodes)
    nodes.append((int(node["feature_idx"]), float(node["num_threshold"]), 0))
    _lay_out(tree, int(node["left"]), nodes)
    nodes[place] = (*nodes[place][:2], len(nodes))
    _lay_out(tree, int(node["right"]), nodes)


def missed_at(score: np.ndarray, real: np.ndarray, false_share: float = FALSE_AT_MOST) -> tuple[float, float]:
    """Return the share of real ones below the threshold that so many bogus pass, and that threshold."""
    threshold = float(np.quantile(score[~real], 1 - false_share))
    return float((score[real] <= threshold).mean()), threshold
