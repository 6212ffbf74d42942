"""Real or bogus: how much a candidate looks like a change in the sky and not like something that went wrong.

A few hundred small decision trees, boosted (Friedman 2001, Ann. Statist. 29, 1189), on the features of
`reduction.realbogus.features`. They are trained elsewhere; here they are read and applied.
"""

import base64
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from reduction.array_types import Float32Array, Float64Array
from reduction.realbogus.features import FEATURES

__all__ = ["RealBogusModel", "read_model"]

_ARRAYS = {"roots": "<i4", "feature": "<i2", "value": "<f4", "right": "<i4"}


@dataclass(frozen=True)
class RealBogusModel:
    """A trained model: trees one after the other in flat arrays.

    Parameters
    ----------
    version : str
    offset : float
        Logit of a candidate before any tree.
    roots : ndarray of int32, shape (trees,)
        Index of each tree's first node.
    feature : ndarray of int32, shape (nodes,)
        By which a node divides; -1 for a leaf.
    value : ndarray of float32, shape (nodes,)
        A node's threshold: what does not exceed it goes to the left; a leaf's part of the logit.
    right : ndarray of int32, shape (nodes,)
        Index of the node for what does exceed it; the one to the left is the next.
    record : dict
        How it was trained and how it did.
    """

    version: str
    offset: float
    roots: np.ndarray
    feature: np.ndarray
    value: np.ndarray
    right: np.ndarray
    record: dict[str, Any]

    def score(self, table: np.ndarray) -> np.ndarray:
        """Return 0 (bogus) to 1 (real) for each row of features."""
        rows = np.ascontiguousarray(table, np.float32)
        logit = self.offset + _sum_trees(rows, self.roots, self.feature, self.value, self.right)
        scores: np.ndarray = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
        return scores

    def to_json(self) -> dict[str, Any]:
        """Return the model as JSON can hold it; `read_model` reads it. The same model gives the same text."""
        arrays = {name: _packed(getattr(self, name), kind) for name, kind in _ARRAYS.items()}
        named = {"version": self.version, "features": list(FEATURES), "offset": self.offset, "record": self.record}
        return {**named, **arrays}


def _packed(array: np.ndarray, kind: str) -> str:
    """Return an array's bytes, little-endian, compressed, in base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array, kind).tobytes(), 9)).decode()


def _unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind).astype(np.dtype(kind).newbyteorder("="))


@numba.njit(cache=True, nogil=True)
def _sum_trees(
    rows: Float32Array, roots: np.ndarray, feature: np.ndarray, value: Float32Array, right: np.ndarray
) -> Float64Array:
    total = np.zeros(len(rows))
    for k in range(len(rows)):
        for root in roots:
            node = root
            while feature[node] >= 0:
                node = node + 1 if rows[k, feature[node]] <= value[node] else right[node]
            total[k] += value[node]
    return total


def read_model(path: Path) -> RealBogusModel:
    """Read a model.

    Raises
    ------
    ValueError
        Where it was trained on other features than these.
    """
    content = json.loads(path.read_text())
    if tuple(content["features"]) != FEATURES:
        raise ValueError(f"model {path.name} was trained on other features: train it anew")
    arrays = {name: _unpacked(content[name], kind) for name, kind in _ARRAYS.items()}
    return RealBogusModel(version=content["version"], offset=content["offset"], record=content["record"], **arrays)
