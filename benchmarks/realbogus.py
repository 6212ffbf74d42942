"""The real-bogus model that the jobs use, on pairs that nothing else looks at.

The pairs are searched at 4 sigma, with a score that knows nothing of what stars leave and without cuts, so that there
are bogus candidates: residuals of stars, noise, hits of cosmic rays that no mask knows. Real is what lies within 2
pixels of a new source (5 sigma and more against the empty sky, a third of them on galaxies) or of a star that has
changed by a tenth to nine tenths, however bright what is under it; bogus is what lies further than 4 pixels from any.

``missed_percent_at_2_percent_false``
    Real ones below the threshold that 2% of the bogus ones pass, all of 4 sigma and more.
``missed_percent_snr5_up``, ``missed_percent_snr4_5``
    The same of those of 5 sigma and more against bogus ones of 5 sigma and more, and of those of 4 to 5 sigma. The
    latter are mostly peaks of noise, which look like a faint source because nothing is different.
``false_percent_snr5_up``
    Bogus ones of 5 sigma and more that pass the first threshold.
``threshold``, ``real_count``, ``bogus_count``, ``bogus_snr5_up``
    Of the first figure; how many of the bogus have 5 sigma and more.
``worst_pair_percent_of_false``
    Share of the bogus that pass the first threshold which one single pair has.
``apply_ms``
    CPU milliseconds for a thousand candidates, their features given.

``python -m benchmarks.realbogus --pairs 1`` only shows that it runs: 2% of one pair are four bogus ones.
"""

import argparse
import time

import numpy as np
from rich.console import Console

from nightshift.realbogus import REAL_BOGUS
from reduction.realbogus.classifier import read_model
from rehearsal.training.examples import Examples, draw_examples
from rehearsal.training.train_model import TEST_SEEDS, missed_at

__all__ = ["run"]


def run(pairs: int = len(TEST_SEEDS)) -> dict[str, float]:
    """Hold the model to its test, or to as many of its pairs."""
    model = read_model(REAL_BOGUS)
    drawn = [draw_examples(seed) for seed in TEST_SEEDS[:pairs]]
    test = Examples.joined(drawn)
    score = model.score(test.table)
    missed, threshold = missed_at(score, test.real)
    strong = test.signal >= 5
    missed_strong, missed_weak = (missed_at(score[part], test.real[part])[0] for part in (strong, ~strong))
    passing = ~test.real & (score > threshold)
    of_pair = np.repeat(np.arange(len(drawn)), [len(part.real) for part in drawn])
    table = np.resize(test.table, (1000, test.table.shape[1]))
    began = time.process_time()
    for _ in range(20):
        model.score(table)
    return {
        "missed_percent_at_2_percent_false": round(100 * missed, 3),
        "missed_percent_snr5_up": round(100 * missed_strong, 3),
        "missed_percent_snr4_5": round(100 * missed_weak, 3),
        "false_percent_snr5_up": round(100 * float(passing[strong & ~test.real].mean()), 3),
        "threshold": round(threshold, 4),
        "real_count": float(test.real.sum()),
        "bogus_count": float((~test.real).sum()),
        "bogus_snr5_up": float((strong & ~test.real).sum()),
        "worst_pair_percent_of_false": round(100 * float(np.bincount(of_pair[passing]).max() / passing.sum()), 1),
        "apply_ms": round(1000 * (time.process_time() - began) / 20, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=len(TEST_SEEDS))
    Console().print(run(parser.parse_args().pairs))
