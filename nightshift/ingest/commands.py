"""The command ``nightshift ingest``."""

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add ``ingest`` to the command line's subparsers."""
    parser = subparsers.add_parser("ingest", help="take files in: register them, or set them aside with their reason")
    parser.add_argument("files", nargs="*", type=Path, help="files to take in; they leave their place")
    parser.add_argument("--inbox", action="store_true", help="take in what is complete in the inbox")
    parser.set_defaults(run=_ingest)


def _ingest(options: argparse.Namespace) -> int:
    from nightshift.ingest.inbox import complete_files
    from nightshift.ingest.ingest import ingest_all
    from nightshift.vocabulary import Disposition
    from nightshift.workplace import open_workplace

    if not options.files and not options.inbox:
        print("Nothing to do: name files, or say --inbox.")
        return 2
    with open_workplace() as workplace:
        paths = list(options.files)
        if options.inbox:
            memory: dict[str, Any] = {}
            complete_files(workplace.inbox, memory, workplace.survey)
            time.sleep(workplace.survey.exposure.stillness_s)  # who holds still between two looks is complete
            paths += complete_files(workplace.inbox, memory, workplace.survey)
        arrivals = ingest_all(workplace, paths)
    for arrival in arrivals:
        if arrival.disposition is not Disposition.REGISTERED:
            print(f"{arrival.name}: {arrival.disposition} {arrival.reason or ''} {arrival.detail}".rstrip())
    counts = Counter(arrival.disposition for arrival in arrivals)
    print(", ".join(f"{counts[disposition]} {disposition}" for disposition in Disposition))
    return 0
