"""``nightshift train-realbogus`` and ``inject``."""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.completeness import recovered_by_signal
from nightshift.errors import BadInput
from nightshift.keys import LIVE
from nightshift.settings import SettingsError
from nightshift.vocabulary import Reason

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this package's commands."""
    train = subparsers.add_parser(
        "train-realbogus", help="train the real-bogus model on simulated pairs and write it with its record"
    )
    train.add_argument("version", help="what packets will say in rbversion, such as ns-2")
    train.add_argument("--output", type=Path, help="file to write (default: the model that the jobs use)")
    train.add_argument(
        "--survey",
        action="append",
        help="it is to serve; may be given several times (default: all that are configured)",
    )
    train.add_argument("--pairs", type=int, help="of usual seeing to train on (default: 108)")
    train.add_argument("--odd-pairs", type=int, help="beyond the usual to train on (default: 48)")
    train.add_argument("--held-out", type=int, help="to judge it by (default: 12)")
    train.add_argument("--size", type=int, default=1024, help="side of a pair in pixels (default: 1024)")
    train.add_argument(
        "--keep", type=Path, help="folder for each pair's examples: those that it has are not drawn again. "
        "Empty it when the code has changed",
    )  # fmt: skip
    train.set_defaults(run=_train)

    inject = subparsers.add_parser(
        "inject", help="say what share of new sources put into a night's frames was found, or put them into one frame"
    )
    inject.add_argument("--night", type=date.fromisoformat, help="of the ledger, by the date of its evening")
    inject.add_argument("--site", help="whose night, where the survey has several sites")
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
    from nightshift.realbogus import REAL_BOGUS
    from nightshift.realbogus.retraining import trained_for
    from nightshift.settings import load_deployment, survey_names
    from rehearsal.training.examples import Examples
    from rehearsal.training.train_model import (
        HELD_OUT_SEEDS,
        ODD_SEEDS,
        TRAINING_SEEDS,
        examples_of,
        missed_at,
        train,
    )

    path = arguments.output or REAL_BOGUS
    for model in (path, REAL_BOGUS):
        _check_version(arguments.version, model)
    deployments = [load_deployment(name) for name in arguments.survey or survey_names()]
    surveys = {
        deployment.name_of(survey.camera.instrument): trained_for(survey)
        for deployment in deployments
        for survey in deployment.surveys
    }
    usual = _first(TRAINING_SEEDS, arguments.pairs)
    odd = _first(ODD_SEEDS, arguments.odd_pairs)
    held_out = _first(HELD_OUT_SEEDS, arguments.held_out)
    print(f"drawing {len(usual) + len(odd) + len(held_out)} pairs of images: some CPU minutes", flush=True)
    drawing = {"size": arguments.size, "keep": arguments.keep}
    examples = Examples.joined([examples_of(usual, **drawing), examples_of(odd, odd=True, **drawing)])
    model = train(examples, arguments.version)
    test = examples_of(held_out, **drawing)
    missed, threshold = missed_at(model.score(test.table), test.real)
    model.record.update(
        surveys=surveys,
        training_seeds=[usual.start, usual.stop],
        odd_seeds=[odd.start, odd.stop],
        held_out_seeds=[held_out.start, held_out.stop],
        size_px=arguments.size,
        held_out_real=int(test.real.sum()),
        held_out_bogus=int((~test.real).sum()),
        missed_percent_at_2_percent_false=round(100 * missed, 3),
        threshold_at_2_percent_false=round(threshold, 4),
    )
    write_json(path, model.to_json())
    print(
        f"{arguments.version}: misses {100 * missed:.2f}% of {test.real.sum()} real at 2% of "
        f"{(~test.real).sum()} bogus passing (threshold {threshold:.3f}); written to {path}"
    )
    return 0


def _check_version(version: str, path: Path) -> None:
    """Refuse a version that alerts have said already, since one name is of one model, and a file that is none."""
    if not path.is_file():
        return
    try:
        known = json.loads(path.read_text())["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            Reason.UNREADABLE_FILE, f"{path} is no model, so its version cannot be told ({error!r}): take it away"
        ) from error
    if known == version:
        raise BadInput(
            Reason.NAME_CONFLICT, f"{path} is {version} already, and alerts may say so: name the new model otherwise"
        )


def _first(seeds: range, number: int | None) -> range:
    """Return the first of some seeds, or so many from the first on."""
    return seeds if number is None else range(seeds.start, seeds.start + number)


def _inject(arguments: argparse.Namespace) -> int:
    files = [arguments.calibrated, arguments.sources, arguments.reference, arguments.reference_sources]
    if all(files):
        print(_table(_of_files(arguments.survey, *files)))
        return 0
    if arguments.night is None or any(files):
        raise SettingsError(
            "give either --night, or all of --calibrated, --sources, --reference and --reference-sources"
        )
    from nightshift.context import open_context
    from nightshift.ledger.queries import injection as injection_queries

    with open_context() as context:
        site = context.deployment.site_named(arguments.site)
        (counts,) = injection_queries.completeness_of_night(
            context.ledger, site=site.name, night=arguments.night, campaign=LIVE
        )
    if not counts.quadrants:
        print(f"no quadrant of {arguments.night} was sampled (reduction.injection_fraction)")
        return 1
    print(f"{counts.quadrants} quadrants of {arguments.night}")
    print(_table(asdict(counts)))
    return 0


def _of_files(survey_name: str, calibrated: Path, sources: Path, reference: Path, known: Path) -> dict[str, int]:
    """Difference a frame, put sources into it, and return what was found of them."""
    from nightshift.kinds.difference.differencing import completeness_of_files
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
