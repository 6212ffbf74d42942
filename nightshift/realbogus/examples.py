"""Examples of real and bogus candidates, from simulated pairs with sources put in.

Pairs differ in seeing, depth, crowding and in how badly their stars fall together. They are searched at 4 sigma by a
score that knows nothing of what stars leave, without cuts: otherwise there would hardly be a bogus candidate.
"""

import math
from dataclasses import dataclass

import numpy as np

from nightshift.realbogus.pairs import Prepared, prepare
from nightshift.simulator.survey_pair import PairPlan, make_pair
from reduction.candidates import Candidate, CandidateSettings
from reduction.difference import DifferenceSettings
from reduction.problems import Unusable
from reduction.real_bogus import FEATURES, features

__all__ = ["Examples", "draw_examples"]

SIGMA = 4.0
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


def draw_examples(seed: int, *, size: int = 1024) -> Examples:
    """Draw one pair and return its candidates that are clearly real or clearly bogus."""
    random = np.random.default_rng([seed, 77])
    plan = _plan(random, size)
    prepared = prepare(make_pair(seed, plan))
    settings = DifferenceSettings(kernel_order=int(random.choice([2, 3, 4])), star_noise=False)
    try:
        difference = prepared.difference(settings)
    except Unusable:  # a pair too poor to be differenced has no candidates in the survey either
        return Examples(np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, bool), np.zeros(0))
    candidates = prepared.candidates(difference, WITHOUT_CUTS)
    real, clear = _truth(prepared, candidates)
    chosen = [candidate for candidate, keep in zip(candidates, clear, strict=True) if keep]
    signal = np.array([candidate.signal_to_noise for candidate in chosen])
    return Examples(features(difference, chosen), real[clear], signal)


def _plan(random: np.random.Generator, size: int) -> PairPlan:
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
