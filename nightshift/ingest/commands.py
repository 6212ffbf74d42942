"""The command ``nightshift ingest``."""

import argparse
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightshift.ingest.dry_run import Finding
    from nightshift.settings import Deployment

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``ingest`` to the command line's subparsers."""
    parser = subparsers.add_parser("ingest", help="take files in: register them, or set them aside with their reason")
    parser.add_argument(
        "files", nargs="*", type=Path, help="files to take in, and no folders; they leave their place"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--inbox", action="store_true", help="take in what is complete in the inbox")
    what.add_argument(
        "--dry-run", action="store_true",
        help="say what each file is by the survey's settings, hold the settings against the frames' pixels, and "
        "change nothing: no ledger is needed, and folders may be named; exit code 1 if one would be quarantined or "
        "the settings would spoil a night",
    )  # fmt: skip
    parser.add_argument(
        "--survey", default=os.environ.get("NIGHTSHIFT_SURVEY", "demo"),
        help="of the dry run; or NIGHTSHIFT_SURVEY (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--headers-only", action="store_true", help="of the dry run: read no pixels, which is quick for many files"
    )
    parser.set_defaults(run=_ingest)


def _ingest(options: argparse.Namespace) -> int:
    if not options.files and not options.inbox:
        print("Nothing to do: name files, or say --inbox.")
        return 2
    if options.dry_run:
        return _dry_run(options.files, options.survey, pixels=not options.headers_only)
    return _take_in(options)


def _dry_run(paths: list[Path], name: str, *, pixels: bool) -> int:
    from nightshift.ingest.dry_run import files_below, find_out
    from nightshift.ingest.naming import shown
    from nightshift.settings import load_deployment

    counts = Counter[str]()
    deployment = load_deployment(name)
    several = len(deployment.instruments) > 1
    findings = []
    for finding in find_out(files_below(paths), deployment):
        print(shown(f"{finding.path}: {_said(finding, several=several)}"))
        counts[finding.frame.image_type if finding.frame else f"quarantined, {finding.reason}"] += 1
        findings.append(finding)
    print("; ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "no file there")
    fits = _try_out(deployment, findings) if pixels else True
    return 0 if fits and counts and all("quarantined" not in what for what in counts) else 1


def _try_out(deployment: "Deployment", findings: list["Finding"]) -> bool:
    """Try the settings of each instrument out on its frames, and say whether they would do."""
    from nightshift.ingest.naming import shown
    from nightshift.trial_reduction import Severity, try_out
    from nightshift.trial_reduction.frames import TrialFrame

    counts = Counter[str]()
    for survey in deployment.surveys:
        frames = [
            TrialFrame.of(finding.path, finding.frame, survey)
            for finding in findings
            if finding.frame is not None and finding.frame.key.instrument == survey.camera.instrument
        ]
        if not frames:
            continue
        print(f"\nThe settings of {survey.camera.instrument} against its frames:", flush=True)
        for remark in try_out(survey, frames):
            print(shown(f"  {remark}"), flush=True)
            counts[remark.severity] += 1
    if errors := counts[Severity.ERROR]:
        print(f"{errors} of these would spoil a night: change what stands in brackets, and try again")
    return not errors


def _said(finding: "Finding", *, several: bool) -> str:
    """Return in one line what a file is, and where there are several instruments whose."""
    frame = finding.frame
    if frame is None:
        return f"quarantined, {finding.reason}: {finding.detail}"
    header = frame.header
    words = [
        frame.image_type, f"exposure {frame.key.exposure_id}", f"detector {frame.key.detector}",
        f"{header.shutter_open:%Y-%m-%d %H:%M:%S} UTC", f"{header.exposure_s:g} s",
    ]  # fmt: skip
    words[1:1] = [f"of {frame.key.instrument}"] if several else []
    words += [f"filter {frame.filter}"] if frame.filter else []
    if frame.image_type == "science":
        known = header.ra_deg is not None and header.dec_deg is not None
        words.append("no field of the survey" if frame.field is None else f"field {frame.field}")
        words.append(f"at {header.ra_deg:.4f} {header.dec_deg:+.4f} deg" if known else "no pointing")
    return ", ".join(words)


def _take_in(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.ingest.inbox import complete_files
    from nightshift.ingest.ingest import ingest_all
    from nightshift.pins.changes import changes_since_opening, notice_changes
    from nightshift.vocabulary import Disposition

    for path in options.files:
        _check_is_file(path)
    with open_context() as context:
        paths = list(options.files)
        if options.inbox:
            memory: dict[str, Any] = {}
            complete_files(context.inbox, memory, *context.deployment.surveys)
            # who holds still between two looks is complete
            time.sleep(max(survey.exposure.stillness_s for survey in context.deployment.surveys))
            paths += complete_files(context.inbox, memory, *context.deployment.surveys)
        arrivals = ingest_all(context, paths)
        name, now = context.deployment.name, context.clock.now()
        notice_changes(context.ledger, name, now)
        changes = changes_since_opening(context.ledger, name, now)
    for arrival in arrivals:
        if arrival.disposition is not Disposition.REGISTERED:
            print(f"{arrival.name}: {arrival.disposition} {arrival.reason or ''} {arrival.detail}".rstrip())
    counts = Counter(arrival.disposition for arrival in arrivals)
    print(", ".join(f"{counts[disposition]} {disposition}" for disposition in Disposition))
    for change in changes:
        print(change)
    return 0


def _check_is_file(path: Path) -> None:
    """Refuse what cannot have been meant as a file to take in: it would leave its place for the quarantine."""
    from nightshift.errors import BadInput
    from nightshift.ingest.naming import shown
    from nightshift.vocabulary import Reason

    name = shown(str(path))
    if not os.path.lexists(path):
        raise BadInput(Reason.NEVER_ARRIVED, f"{name}: there is no such file")
    if path.is_dir():
        raise BadInput(
            Reason.NOT_A_REGULAR_FILE,
            f"{name} is a folder, and nothing was taken in. Name the files, such as {name.rstrip('/')}/*.fits; "
            f"`nightshift ingest --dry-run {name}` says first what each file below it is, and moves nothing.",
        )
    if path.is_symlink() or not path.is_file():
        raise BadInput(
            Reason.NOT_A_REGULAR_FILE,
            f"{name} is a link or no regular file, and nothing was taken in. Name the file itself.",
        )
