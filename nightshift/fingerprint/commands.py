"""The command ``fingerprint``."""

import argparse
from pathlib import Path

__all__ = ["register"]

SHOWN = 40  # differences that are listed


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the fingerprint's command to the parser."""
    fingerprint = subparsers.add_parser(
        "fingerprint",
        help="say in a few characters what a survey's nights left, or where two such fingerprints differ",
        description="Hashes every table and product without times, hosts, ids, attempts, tokens and paths that hold "
        "them: the same night gives the same fingerprint, whatever broke while it ran. Exit code of --compare: 0 "
        "only if nothing differs.",
    )
    fingerprint.add_argument(
        "--survey", default="demo", help="name of its folder below config (default: %(default)s)"
    )
    fingerprint.add_argument(
        "--out", type=Path, metavar="FILE", help="write it with every row and file, for --compare"
    )
    fingerprint.add_argument("--compare", nargs=2, type=Path, metavar="FILE", help="say which rows and files differ")
    fingerprint.set_defaults(run=_fingerprint)


def _fingerprint(options: argparse.Namespace) -> int:
    return _compare(*options.compare) if options.compare else _take(options)


def _take(options: argparse.Namespace) -> int:
    from nightshift.fingerprint import take_fingerprint
    from nightshift.ledger import Ledger
    from nightshift.settings import load_deployment
    from nightshift.stack.home import Home
    from nightshift.stack.offline_ledger import ledger_of

    home = Home.of(load_deployment(options.survey).name)
    with ledger_of(home) as url, Ledger(url) as ledger:
        fingerprint = take_fingerprint(ledger, home.depot, home.received / "alerts.jsonl")
    for name, members, text in fingerprint.lines():
        print(f"{text}  {members:6d}  {name}")
    print(f"{fingerprint.whole}  all of it")
    if options.out:
        fingerprint.write(options.out)
    return 0


def _compare(one: Path, other: Path) -> int:
    from nightshift.fingerprint import Fingerprint, compare
    from nightshift.settings import SettingsError

    try:
        first, second = Fingerprint.read(one), Fingerprint.read(other)
    except (OSError, ValueError) as error:
        raise SettingsError(str(error)) from error
    differences = list(compare(first, second))
    for difference in differences[:SHOWN]:
        print(difference)
    if len(differences) > SHOWN:
        print(f"... and {len(differences) - SHOWN} more")
    print(f"{len(differences)} differences" if differences else f"equal: {first.whole}")
    return 1 if differences else 0
