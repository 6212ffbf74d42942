"""Examples of real and bogus candidates, from simulated pairs with sources put in.

Pairs differ in seeing, depth, crowding and in how badly their stars fall together. They are searched at 4 sigma by a
score that knows nothing of what stars leave, without cuts: otherwise there would hardly be a bogus candidate.
"""

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nightshift.files import write_whole
from reduction.difference.candidates import Candidate, CandidateSettings
from reduction.difference.difference import DifferenceSettings
from reduction.problems import Unusable
from reduction.realbogus.features import FEATURES, features
from rehearsal.simulator.survey_pair import PairPlan, make_pair
from rehearsal.training.pairs import Prepared, prepare

__all__ = ["NONE", "Examples", "draw_examples", "kept_examples"]

SIGMA = 4.0
ZOGY_SHARE = 0.3  # of odd pairs: surveys may subtract so by setting
REAL_PX, BOGUS_PX = 2.0, 4.0  # nearer than the first to a true change, further than the second from any
WITHOUT_CUTS = CandidateSettings(
    sigma=SIGMA,
    dipole_ratio=1e3,
    chi_square=1e3,
    sharp=0.05,
    wide=50.0,
    crowd=(16.0, 10**9, 2.0),
    star_residuals=(),
    ridge=(1e3, 0.0),
)


@dataclass(frozen=True)
class Examples:
    """Candidates and what they are.

    Parameters
    ----------
    table : ndarray of float32, shape (n, features)
    real : ndarray of bool, shape (n,)
    signal : ndarray of float64, shape (n,)
        Score at the peak.
    """

    table: np.ndarray
    real: np.ndarray
    signal: np.ndarray

    @classmethod
    def joined(cls, parts: list["Examples"]) -> "Examples":
        """Return all of several lots."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("table", "real", "signal")))

    def sha256(self) -> str:
        """Return the sha256 of the table and of what its rows are."""
        whole = hashlib.sha256(np.ascontiguousarray(self.table, "<f4").tobytes())
        whole.update(np.packbits(self.real).tobytes())
        return whole.hexdigest()


NONE = Examples(np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, bool), np.zeros(0))


def draw_examples(seed: int, *, size: int = 1024, odd: bool = False) -> Examples:
    """Draw one pair and return its candidates that are clearly real or clearly bogus.

    Parameters
    ----------
    seed : int
    size : int
        Side of the pair in pixels.
    odd : bool
        A pair beyond those of usual surveys.
    """
    random = np.random.default_rng([seed, 77])
    plan = (_odd_plan if odd else _plan)(random, size)
    prepared = prepare(make_pair(seed, plan))
    order = int(random.choice([2, 3, 4]))
    method: Literal["delta_basis", "zogy"] = "zogy" if odd and random.random() < ZOGY_SHARE else "delta_basis"
    settings = DifferenceSettings(method=method, kernel_order=order, star_noise=False)
    try:
        difference = prepared.difference(settings)
    except Unusable:  # a pair too poor to be differenced has no candidates in the survey either
        return NONE
    candidates = prepared.candidates(difference, WITHOUT_CUTS)
    real, clear = _truth(prepared, candidates)
    chosen = [candidate for candidate, keep in zip(candidates, clear, strict=True) if keep]
    signal = np.array([candidate.signal_to_noise for candidate in chosen])
    return Examples(features(difference, prepared.pair.science, chosen), real[clear], signal)


def kept_examples(folder: Path, seed: int, *, size: int = 1024, odd: bool = False) -> Examples:
    """Return a pair's examples from a folder, where they are put if they are not there yet.

    The folder knows which features and which pair they are of, not which version of the code they were made with.
    """
    features_ = hashlib.sha256(",".join(FEATURES).encode()).hexdigest()[:8]
    path = folder / f"{'odd' if odd else 'usual'}-{seed}-{size}-{features_}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Examples(kept["table"], kept["real"], kept["signal"])
    drawn = draw_examples(seed, size=size, odd=odd)
    buffer = io.BytesIO()
    np.savez(buffer, table=drawn.table, real=drawn.real, signal=drawn.signal)
    write_whole(path, buffer.getvalue())
    return drawn


def _plan(random: np.random.Generator, size: int) -> PairPlan:
    """Return a pair of a survey of usual seeing: what a model is tested on."""
    fwhm = random.uniform(2.2, 3.4)
    return PairPlan(
        shape=(size, size),
        fwhm=fwhm,
        reference_fwhm=max(1.6, fwhm / random.uniform(0.9, 1.6)),
        sky=math.exp(random.uniform(math.log(200), math.log(2000))),
        depth_ratio=math.exp(random.uniform(math.log(3), math.log(15))),
        residual_px=random.uniform(0.06, 0.3),
        stars=int(5000 * random.uniform(1, 3)),
        galaxies=1800,
        new=3000,
        variables=300,
        unflagged_hits=200,
        signal_to_noise=(5.0, 80.0),
    )


def _odd_plan(random: np.random.Generator, size: int) -> PairPlan:
    """Return a pair beyond the usual: sparse or crowded, sharp or blurred, shallow, dark, badly placed, full of hits.

    A model is trained on some such pairs too, so that another camera does not show it what it has never seen.
    """

    def between(least: float, most: float) -> float:
        return math.exp(random.uniform(math.log(least), math.log(most)))

    fwhm = random.uniform(1.8, 5.0)
    return PairPlan(
        shape=(size, size),
        fwhm=fwhm,
        reference_fwhm=max(1.5, fwhm / random.uniform(0.75, 1.6)),
        sky=between(30, 5000),
        depth_ratio=between(1.5, 30),
        residual_px=random.uniform(0.0, 0.4),
        stars=int(between(500, 15_000)),
        galaxies=1800,
        new=3000,
        variables=300,
        unflagged_hits=int(between(20, 1000)),
        signal_to_noise=(5.0, 80.0),
    )


def _truth(prepared: Prepared, candidates: list[Candidate]) -> tuple[np.ndarray, np.ndarray]:
    """Return which candidates are real, and which are clearly one or the other."""
    pair = prepared.pair
    x = np.concatenate([pair.new_x, pair.variable_x])
    y = np.concatenate([pair.new_y, pair.variable_y])
    positive = np.concatenate([np.ones(len(pair.new_x), bool), pair.variable_change > 0])
    real, clear = np.zeros((2, len(candidates)), bool)
    for k, candidate in enumerate(candidates):
        distance = np.hypot(x - candidate.x, y - candidate.y)
        nearest = int(np.argmin(distance))
        real[k] = distance[nearest] < REAL_PX and positive[nearest] == candidate.positive
        clear[k] = real[k] or distance[nearest] > BOGUS_PX
    return real, clear
