"""New sources in simulated pairs at survey size: what a difference recovers, what it makes up, and peers beside it.

Each pair has 5,000 stars and 900 galaxies, PSFs that vary over the field (2.45 and 1.95 px), stars that fall 0.06 px
beside their places, and 700 new sources, a third of them on galaxies. Signal to noise is that on an empty sky.

``recovered_snr5_6``, ``recovered_snr6_8``, ``recovered_snr8_up``
    Share that became candidates within 2 px. Sources with a flagged pixel in 5x5 (``masked``) and hosts brighter than
    the sky (``bright_host``) are apart.
``false_per_quadrant``
    Candidates of either sign further than 3 px from any new source, without a cut on real-bogus.
``flux_bias_percent``
    Of recovered sources of S/N 8 and more, weighted by their square of S/N.
``cpu_s``
    From the calibrated image and its sources to measured candidates.

``zogy_`` before a name: our own second method in place of the kernel fitted to stars, on as many pairs as the peers.

A peer's figures begin with its name. Its difference is searched for peaks of 5 sigma by the same filter and noise, as
it is usually done, and again (``<peer>_with_star_noise_``) as ours is: with the scatter of its own matched
stars in the noise, and the same cuts on candidates.

``python -m benchmarks.injection --pairs 1 --size 1024`` is a short run.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks._pairs import Tally
from benchmarks._peers import Subtract, peers
from reduction.difference.candidates import find_peaks
from reduction.difference.difference import Difference, DifferenceSettings
from reduction.image.convolve import fill_bad
from reduction.image.resample import resample
from rehearsal.simulator.survey_pair import PairPlan, make_pair
from rehearsal.training.pairs import Prepared, prepare

__all__ = ["add_candidates", "run"]

PAIRS, PEER_PAIRS = 10, 2
SIGMA = 5.0


def run(pairs: int = PAIRS, peer_pairs: int = PEER_PAIRS, plan: PairPlan | None = None) -> dict[str, float]:
    """Difference all pairs, some of them by the peers as well, and return the figures."""
    plan = plan or PairPlan()
    ours, others = Tally(), peers()
    tallies: dict[str, Tally] = {}
    prepared = prepare(make_pair(1000, replace(plan, shape=(512, 512))))
    _ours(prepared, Tally())  # compiles
    if peer_pairs:
        tallies["zogy"] = Tally()
    for seed in range(pairs):
        prepared = prepare(make_pair(seed, plan))
        _ours(prepared, ours)
        if seed < peer_pairs:
            _ours(prepared, tallies["zogy"], DifferenceSettings(method="zogy"))
        for name, subtract in others.items() if seed < peer_pairs else ():
            _peer(
                prepared,
                subtract,
                tallies.setdefault(name, Tally()),
                tallies.setdefault(f"{name}_with_star_noise", Tally()),
            )
    figures = ours.figures()
    for name, tally in tallies.items():
        figures |= tally.figures(f"{name}_")
    return {**figures, "pairs": pairs, "peer_pairs": peer_pairs}


def _ours(prepared: Prepared, tally: Tally, settings: DifferenceSettings | None = None) -> None:
    began = time.process_time()
    difference = prepared.difference(settings)
    add_candidates(prepared, difference, tally, time.process_time() - began)


def _peer(prepared: Prepared, subtract: Subtract, plain: Tally, with_star_noise: Tally) -> None:
    pair = prepared.pair
    ready = resample(pair.reference, pair.science.wcs, pair.science.shape)
    bads = pair.science.mask != 0, ready.mask != 0
    science, reference = fill_bad(pair.science.image, bads[0]), fill_bad(ready.image, bads[1])
    bad = bads[0] | bads[1]
    with tempfile.TemporaryDirectory(prefix="nightshift-peer-") as folder:
        image, seconds = subtract(science, reference, bad, prepared.stars, Path(folder))

    def searched(star_noise: bool) -> Difference:
        return prepared.difference(DifferenceSettings(star_noise=star_noise), subtracted=image)

    peaks = np.array(find_peaks(searched(False), SIGMA), float).reshape(-1, 3)
    plain.add(pair, peaks[:, 1], peaks[:, 0], None, seconds)
    add_candidates(prepared, searched(True), with_star_noise, seconds)


def add_candidates(prepared: Prepared, difference: Difference, tally: Tally, seconds: float) -> None:
    """Search a difference as the jobs do and note what was found."""
    began = time.process_time()
    candidates = prepared.candidates(difference)
    seconds += time.process_time() - began
    flux = np.array([c.flux if c.positive else -c.flux for c in candidates])
    x, y = (np.array([getattr(c, axis) for c in candidates]) for axis in "xy")
    tally.add(prepared.pair, x, y, flux, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--peer-pairs", type=int, default=0)
    parser.add_argument("--size", type=int, help="of a side in pixels, in place of a quadrant's")
    chosen = parser.parse_args()
    plan = PairPlan(shape=(chosen.size, chosen.size)) if chosen.size else None
    Console().print(run(chosen.pairs, chosen.peer_pairs, plan))
