"""The command ``digest``."""

import argparse
from pathlib import Path

__all__ = ["register"]

SHOWN = 40  # differences that are listed


def register(subparsers) -> None:
    """Add the digest's command to the parser."""
    digest = subparsers.add_parser(
        "digest",
        help="say in a few characters what a survey's nights left, or where two such digests differ",
        description="Digests every table and product without times, hosts, ids, attempts, tokens and paths that hold "
        "them: the same night gives the same digest, whatever broke while it ran. Exit code of --compare: 0 only if "
        "nothing differs.",
    )
    digest.add_argument("--survey", default="demo", help="name of its folder below config (default: %(default)s)")
    digest.add_argument("--out", type=Path, metavar="FILE", help="write it with every row and file, for --compare")
    digest.add_argument("--compare", nargs=2, type=Path, metavar="FILE", help="say which rows and files differ")
    digest.set_defaults(run=_digest)


def _digest(options: argparse.Namespace) -> int:
    return _compare(*options.compare) if options.compare else _take(options)


def _take(options: argparse.Namespace) -> int:
    from nightshift.digest import take_digest
    from nightshift.ledger import Ledger
    from nightshift.settings import load_survey
    from nightshift.stack.at_rest import ledger_of
    from nightshift.stack.home import Home

    home = Home.of(load_survey(options.survey).name)
    with ledger_of(home) as url, Ledger(url) as ledger:
        digest = take_digest(ledger, home.depot, home.received / "alerts.jsonl")
    for name, members, text in digest.lines():
        print(f"{text}  {members:6d}  {name}")
    print(f"{digest.whole}  all of it")
    if options.out:
        digest.write(options.out)
    return 0


def _compare(one: Path, other: Path) -> int:
    from nightshift.digest import Digest, compare
    from nightshift.settings import SettingsError

    try:
        first, second = Digest.read(one), Digest.read(other)
    except (OSError, ValueError) as error:
        raise SettingsError(str(error)) from error
    differences = list(compare(first, second))
    for difference in differences[:SHOWN]:
        print(difference)
    if len(differences) > SHOWN:
        print(f"... and {len(differences) - SHOWN} more")
    print(f"{len(differences)} differences" if differences else f"equal: {first.whole}")
    return 1 if differences else 0
