"""``nightshift train-realbogus`` and ``inject``."""

import argparse
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.completeness import recovered_by_signal

__all__ = ["register"]


def register(subparsers) -> None:
    """Add this package's commands."""
    train = subparsers.add_parser(
        "train-realbogus", help="train the real-bogus model on simulated pairs and write it with its record"
    )
    train.add_argument("version", help="what packets will say in rbversion, such as ns-2")
    train.add_argument("--output", type=Path, help="file to write (default: the model that the jobs use)")
    train.add_argument("--pairs", type=int, default=16, help="to train on (default: 16)")
    train.add_argument("--held-out", type=int, default=12, help="to test on (default: 12)")
    train.add_argument("--size", type=int, default=1024, help="side of a pair in pixels (default: 1024)")
    train.set_defaults(run=_train)

    inject = subparsers.add_parser(
        "inject", help="say what share of new sources put into a night's frames was found, or put them into one frame"
    )
    inject.add_argument("--night", type=date.fromisoformat, help="of the ledger, by the date of its evening")
    inject.add_argument("--survey", default=os.environ.get("NIGHTSHIFT_SURVEY", "demo"), help="or NIGHTSHIFT_SURVEY")
    for name, text in (
        ("calibrated", "a frame that the science job wrote"),
        ("sources", "its table of sources"),
        ("reference", "image of the reference"),
        ("reference-sources", "its table of sources"),
    ):
        inject.add_argument(f"--{name}", type=Path, help=f"{text}; with the other three in place of --night")
    inject.set_defaults(run=_inject)


def _train(arguments: argparse.Namespace) -> int:
    from nightshift.files import write_json
    from nightshift.jobs.differencing import REAL_BOGUS
    from nightshift.realbogus.training import TEST_SEEDS, TRAINING_SEEDS, examples_of, missed_at, train

    seeds = range(TRAINING_SEEDS.start, TRAINING_SEEDS.start + arguments.pairs)
    held_out = range(TEST_SEEDS.start, TEST_SEEDS.start + arguments.held_out)
    model = train(examples_of(seeds, size=arguments.size), arguments.version)
    test = examples_of(held_out, size=arguments.size)
    missed, threshold = missed_at(model.score(test.table), test.real)
    model.record.update(
        training_seeds=[seeds.start, seeds.stop],
        test_seeds=[held_out.start, held_out.stop],
        size_px=arguments.size,
        test_real=int(test.real.sum()),
        test_bogus=int((~test.real).sum()),
        missed_percent_at_2_percent_false=round(100 * missed, 3),
        threshold_at_2_percent_false=round(threshold, 4),
    )
    path = arguments.output or REAL_BOGUS
    write_json(path, model.to_json())
    print(
        f"{arguments.version}: misses {100 * missed:.2f}% of {test.real.sum()} real at 2% of "
        f"{(~test.real).sum()} bogus passing (threshold {threshold:.3f}); written to {path}"
    )
    return 0


def _inject(arguments: argparse.Namespace) -> int:
    files = [arguments.calibrated, arguments.sources, arguments.reference, arguments.reference_sources]
    if all(files):
        print(_table(_of_files(arguments.survey, *files)))
        return 0
    if arguments.night is None or any(files):
        print("give either --night, or all of --calibrated, --sources, --reference and --reference-sources")
        return 2
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        site = workplace.survey.site.name
        counts = workplace.ledger.row("injection", "completeness_of_night", site=site, night=arguments.night)
    if counts is None or not counts["quadrants"]:
        print(f"no quadrant of {arguments.night} was sampled (reduction.injection_fraction)")
        return 1
    print(f"{counts['quadrants']} quadrants of {arguments.night}")
    print(_table(counts))
    return 0


def _of_files(survey_name: str, calibrated: Path, sources: Path, reference: Path, known: Path) -> dict[str, int]:
    """Difference a frame, put sources into it, and return what was found of them."""
    from nightshift.jobs.differencing import completeness_of_files
    from nightshift.settings import load_survey

    return completeness_of_files(load_survey(survey_name), calibrated, sources, reference, known)


def _table(counts: Mapping[str, Any]) -> str:
    lines = []
    for row in recovered_by_signal(counts):
        line = f"S/N {row.label:<11} {row.recovered:>6} of {row.injected:>6}  "
        if row.share is None or row.interval is None:
            lines.append(line + "-")
        else:
            lines.append(f"{line}{row.share:.3f}  ({row.interval[0]:.3f} to {row.interval[1]:.3f})")
    return "\n".join(lines)
