"""``nightshift simulate``, ``play`` and ``score``."""

import argparse
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

__all__ = ["register"]

COMPLETENESS = 0.9


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this package's commands."""
    simulate = subparsers.add_parser("simulate", help="draw a night's raw files, catalogues, truth and manifest")
    _add_survey(simulate)
    simulate.add_argument("--output", type=Path, required=True, help="folder to write into")
    simulate.add_argument("--seed", type=int, default=1, help="of the sky, the weather and the noise (default: 1)")
    simulate.add_argument("--night", type=date.fromisoformat, help="date of the evening, YYYY-MM-DD")
    simulate.add_argument("--small", action="store_true", help="one field and one filter, 8 visits: a few seconds")
    simulate.add_argument(
        "--fault", action="append", default=[], metavar="NAME[:PART]",
        help="let something go wrong, with a file whose name holds PART; may be given again; `all` is every one. "
        "docs/faults.md lists them",
    )  # fmt: skip
    simulate.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    simulate.set_defaults(run=_simulate)

    play = subparsers.add_parser(
        "play", help="copy a night's raw files into an inbox in shutter order, then a manifest"
    )
    _add_survey(play)
    play.add_argument("folder", type=Path, help="a simulated night's folder, or any folder of the camera's files")
    play.add_argument("--inbox", type=Path, default=os.environ.get("NIGHTSHIFT_INBOX"), help="or NIGHTSHIFT_INBOX")
    play.add_argument("--interval", type=float, default=0.2, metavar="SECONDS", help="between files (default: 0.2)")
    play.add_argument("--pause", type=float, default=5.0, metavar="SECONDS", help="before science (default: 5)")
    play.add_argument("--night", type=date.fromisoformat, metavar="YYYY-MM-DD", help="where the folder holds several")
    play.add_argument("--no-manifest", action="store_true", help="leave the night open")
    play.add_argument("--late", action="store_true", help="only what comes after the night has closed")
    play.set_defaults(run=_play)

    score = subparsers.add_parser("score", help="compare alerts with a simulated night's truth")
    score.add_argument("--truth", type=Path, required=True, help="the simulated night's folder `truth`")
    score.add_argument("--alerts", type=Path, required=True, help="JSON: a list of objects with ra, dec, jd, candid")
    score.add_argument("--differenced", type=Path, help="JSON: a list of exposure ids or unit keys; default all")
    score.add_argument("--tracklets", type=Path, help="JSON: a list of tracklets")
    score.set_defaults(run=_score)


def _add_survey(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("NIGHTSHIFT_SURVEY", "demo")
    parser.add_argument("--survey", default=default, help="or NIGHTSHIFT_SURVEY (default: %(default)s)")


def _simulate(arguments: argparse.Namespace) -> int:
    from nightshift.settings import load_survey
    from rehearsal.simulator import SMALL, simulate_night
    from rehearsal.simulator.faults import read_requests

    night = simulate_night(
        load_survey(arguments.survey),
        arguments.output,
        seed=arguments.seed,
        night=arguments.night,
        scale=SMALL if arguments.small else None,
        faults=read_requests(arguments.fault),
        processes=1 if arguments.small else arguments.processes,
    )
    print(f"night {night.night}: {len(night.exposures)} exposures, {len(night.files)} files in {night.raw}")
    print(f"manifest {night.manifest}, truth {night.truth}, catalogues {night.catalogues}")
    return 0


def _play(arguments: argparse.Namespace) -> int:
    from nightshift.settings import SettingsError, load_survey
    from rehearsal.simulator import pauses_before_science, play, prepare_real_night
    from rehearsal.simulator.transfer import PlayOrder

    if arguments.inbox is None:
        raise SettingsError("say where the inbox is: --inbox or NIGHTSHIFT_INBOX")
    survey, folder = load_survey(arguments.survey), arguments.folder
    manifest: Path | None = None
    late: list[Path] = []
    if (folder / "play.json").is_file():
        order = PlayOrder.from_json(json.loads((folder / "play.json").read_text()))
        files, late = ([folder / "raw" / place for place in places] for places in (order.files, order.after_manifest))
        if arguments.late:
            files, late = [folder / "raw" / place for place in order.after_closing], []
        elif not arguments.no_manifest:
            manifest = max(folder.glob("manifest_*.json"))
    else:
        real = prepare_real_night(survey, folder, Path(arguments.inbox) / ".prepared", night=arguments.night)
        manifest, files = None if arguments.no_manifest else real.manifest, list(real.files)
    number = play(
        files,
        Path(arguments.inbox),
        manifest=manifest,
        after_manifest=late,
        interval_s=arguments.interval,
        pauses_s=pauses_before_science(survey, files, arguments.pause),
        tell=lambda n, path: print(f"{n:5d}/{len(files)}  {path.name}", flush=True),
    )
    print(f"played {number} files{f' and {manifest.name}' if manifest else ''}")
    return 0


def _score(arguments: argparse.Namespace) -> int:
    from nightshift.settings import SettingsError
    from rehearsal.simulator import score_night

    def read(path: Path | None) -> Any:
        try:
            return None if path is None else json.loads(path.read_text())
        except ValueError as error:
            raise SettingsError(f"{path} is no JSON: {error}") from error

    score = score_night(
        arguments.truth,
        read(arguments.alerts),
        read(arguments.differenced),
        tracklets=read(arguments.tracklets) or (),
    )
    print(json.dumps(score.to_json(), indent=1))
    return 0 if score.completeness >= COMPLETENESS and score.false_alerts <= score.true_alerts else 1
