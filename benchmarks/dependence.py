"""How a difference depends on what it is given: seeing, depth, registration and crowding, one at a time.

Pairs are those of ``injection``, but 1024x1024 pixels and with twice the density of new sources; all numbers but the
one that a name gives are those of ``injection`` (`base`). Figures are called ``<case>_<value>_<figure>``:

``fwhm_ratio``
    FWHM of the science image over that of the reference; the former stays 2.45 px. ``base`` has 1.26.
``depth_ratio``
    Variance of the science image's sky over that of the reference; ``base`` has 10.
``residual``
    Scatter in each axis between a star's place and where the WCS says, in pixels; ``base`` has 0.06.
``crowding``
    Stars of a whole quadrant in thousands; ``base`` has 5.

``recovered_snr5_6``, ``recovered_snr6_8``, ``recovered_snr8_up``, ``false_per_quadrant``, ``flux_bias_percent``
    As in ``injection``; false ones scaled to a whole quadrant's area. ``refused`` counts pairs that were refused.

``python -m benchmarks.dependence --markdown`` prints the table of docs/differencing.md; ``--method zogy`` takes the
other method.
"""

import argparse
import time
from dataclasses import dataclass, replace

from rich.console import Console

from benchmarks._pairs import Tally
from benchmarks.injection import add_candidates
from reduction.difference.difference import DifferenceSettings
from reduction.problems import Unusable
from rehearsal.simulator.survey_pair import PairPlan, make_pair
from rehearsal.training.pairs import prepare

__all__ = ["run"]

SHAPE = (1024, 1024)
QUADRANTS = 3080 * 3072 / (SHAPE[0] * SHAPE[1])  # of such images in a quadrant
BASE = PairPlan(shape=SHAPE, new=1400)
PAIRS = 4
SHOWN = ("recovered_snr5_6", "recovered_snr6_8", "recovered_snr8_up", "false_per_quadrant", "flux_bias_percent")


def cases() -> dict[str, PairPlan]:
    """Return what pairs are made of, by name."""
    found = {"base": BASE}
    for ratio in (0.8, 0.9, 1.0, 1.1, 1.4, 1.6):
        found[f"fwhm_ratio_{ratio}"] = replace(BASE, reference_fwhm=BASE.fwhm / ratio)
    for ratio in (1, 3, 30):
        found[f"depth_ratio_{ratio}"] = replace(BASE, depth_ratio=float(ratio))
    for residual in (0.0, 0.15, 0.3, 0.5):
        found[f"residual_{residual}"] = replace(BASE, residual_px=residual)
    for thousands in (20, 50, 100):
        found[f"crowding_{thousands}"] = replace(BASE, stars=1000 * thousands)
    return found


@dataclass(frozen=True)
class Case:
    """The figures of one case; none of the shares where every pair was refused."""

    figures: dict[str, float]
    refused: int


def run(pairs: int = PAIRS, method: str = "delta_basis") -> dict[str, float]:
    """Return the figures of all cases."""
    figures: dict[str, float] = {"pairs": pairs}
    for name, case in measured(pairs, method).items():
        figures |= {f"{name}_{figure}": value for figure, value in case.figures.items()}
        figures[f"{name}_refused"] = case.refused
    return figures


def measured(pairs: int, method: str = "delta_basis") -> dict[str, Case]:
    """Difference and search the pairs of every case."""
    settings = DifferenceSettings(method=method)
    found = {}
    for name, plan in cases().items():
        tally, refused = Tally(), 0
        for seed in range(pairs):
            prepared = prepare(make_pair(3000 + seed, plan))
            began = time.process_time()
            try:
                difference = prepared.difference(settings)
            except Unusable:
                refused += 1
                continue
            add_candidates(prepared, difference, tally, time.process_time() - began)
        got = tally.figures() if tally.pairs else {}
        if "false_per_quadrant" in got:
            got["false_per_quadrant"] = round(got["false_per_quadrant"] * QUADRANTS, 1)
        found[name] = Case({figure: got[figure] for figure in SHOWN if figure in got}, refused)
    return found


def markdown(found: dict[str, Case]) -> str:
    """Return the cases as a table."""
    lines = ["| case | recovered | false a quadrant | bias of flux |", "|---|---|---|---|"]
    for name, case in found.items():
        shown = " / ".join(f"{case.figures[s]:.3f}".lstrip("0") if s in case.figures else "-" for s in SHOWN[:3])
        false, bias = (case.figures.get(s) for s in SHOWN[3:])
        refused = f"; {case.refused} refused" if case.refused else ""
        what, _, value = name.rpartition("_")
        title = f"{what.replace('_', ' ')} {value}".strip()
        lines.append(
            f"| {title} | {shown}{refused} | {'-' if false is None else f'{false:.0f}'} | "
            f"{'-' if bias is None else f'{bias:+.1f}%'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--method", choices=("delta_basis", "zogy"), default="delta_basis")
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    found = measured(chosen.pairs, chosen.method)
    Console().print(markdown(found) if chosen.markdown else found, soft_wrap=True)
