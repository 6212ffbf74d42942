"""The real-bogus model that the jobs use, on pairs that it has not seen.

The pairs are searched at 4 sigma, with a score that knows nothing of what stars leave and without cuts, so that there
are bogus candidates: residuals of stars, noise, hits of cosmic rays that no mask knows.

``missed_percent_at_2_percent_false``
    Real ones below the threshold that 2% of the bogus ones pass.
``missed_percent_snr5_up``
    The same of those of 5 sigma and more, against bogus ones of 5 sigma and more.
``threshold``, ``real_count``, ``bogus_count``
    At 4 sigma.
``apply_ms``
    CPU milliseconds for a thousand candidates, their features given.

``python -m benchmarks.realbogus --pairs 1`` only shows that it runs: 2% of one pair are four bogus ones.
"""

import argparse
import time

import numpy as np
from rich.console import Console

from nightshift.jobs.differencing import REAL_BOGUS
from nightshift.realbogus.training import TEST_SEEDS, examples_of, missed_at
from reduction.real_bogus import read_model

__all__ = ["run"]


def run(pairs: int = len(TEST_SEEDS)) -> dict[str, float]:
    """Hold the model to its test, or to as many of its pairs."""
    model = read_model(REAL_BOGUS)
    test = examples_of(TEST_SEEDS[:pairs])
    score = model.score(test.table)
    missed, threshold = missed_at(score, test.real)
    strong = test.signal >= 5
    missed_strong, _ = missed_at(score[strong], test.real[strong])
    table = np.resize(test.table, (1000, test.table.shape[1]))
    began = time.process_time()
    for _ in range(20):
        model.score(table)
    return {
        "missed_percent_at_2_percent_false": round(100 * missed, 3),
        "missed_percent_snr5_up": round(100 * missed_strong, 3),
        "threshold": round(threshold, 4),
        "real_count": float(test.real.sum()),
        "bogus_count": float((~test.real).sum()),
        "apply_ms": round(1000 * (time.process_time() - began) / 20, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=len(TEST_SEEDS))
    Console().print(run(parser.parse_args().pairs))
