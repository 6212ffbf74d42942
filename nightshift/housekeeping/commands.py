"""The commands ``clean-up``, ``restore-files`` and ``disks``."""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nightshift.night_end.commands import night_of_text

if TYPE_CHECKING:
    from nightshift.context import Context
    from nightshift.housekeeping.clean_up import CleanedUp

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add housekeeping's commands to the command line's subparsers."""
    clean = subparsers.add_parser(
        "clean-up",
        help="delete in the depot what may leave it by the settings of retention",
        description="Deletes files in the depot that are older than the settings [retention] have them stay, counted "
        "in observed nights. Only what the archive and a second place hold, both read back and found equal, ever "
        "leaves; `restore-files` brings it back. Folders of jobs of closed nights leave too. Look first: --dry-run.",
    )
    clean.add_argument("--dry-run", action="store_true", help="say what would leave and why the rest stays")
    clean.add_argument("--operator", help="who you are; needed unless it is a dry run")
    clean.add_argument("--site", help="of which site, where the survey has several")
    clean.add_argument("--nights", action="store_true", help="a line for each night as well")
    clean.set_defaults(run=_clean_up)
    restore = subparsers.add_parser(
        "restore-files",
        help="bring files back that left the depot by retention",
        description="Copies files of a night from the archive to their places in the depot and compares them. Their "
        "age counts anew from the newest night on.",
    )
    restore.add_argument("night", type=night_of_text, help="the date of its evening, as 20260131 or 2026-01-31")
    restore.add_argument("--kind", help="only of this kind, such as raw or product/calibrated; default: all")
    restore.add_argument("--dry-run", action="store_true", help="say what would come back")
    restore.add_argument("--operator", help="who you are; needed unless it is a dry run")
    restore.add_argument("--site", help="of which site, where the survey has several")
    restore.set_defaults(run=_restore)
    disks = subparsers.add_parser(
        "disks",
        help="how full the disks are, and when each will be full",
        description="Looks at inbox, depot, archive, second copy, the ledger's disk and the nodes' disks of "
        "temporary files, by what was sampled over the last nights. Exit code 1 if one of them fills up.",
    )
    disks.set_defaults(run=_disks)


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator["Context"]:
    from nightshift.context import open_context

    with open_context() as context:
        yield context.of_site(context.deployment.site_named(options.site).name)


def _operator(options: argparse.Namespace) -> str:
    from nightshift.errors import BadInput
    from nightshift.vocabulary import Reason

    operator = (options.operator or "").strip()
    if not operator and not options.dry_run:
        raise BadInput(Reason.INTERNAL_ERROR, "say who you are (--operator), or look first (--dry-run)")
    return operator


def _clean_up(options: argparse.Namespace) -> int:
    from nightshift.housekeeping.clean_up import clean_up, what_may_leave
    from nightshift.process_owner import process_owner

    operator = _operator(options)
    with _opened(options) as context:
        if context.retention_policy.keep:
            print("Nothing is ever deleted: retention.keep = true.")
            return 0
        if options.dry_run:
            done = what_may_leave(context)
        else:
            done = clean_up(context, operator=operator, account=process_owner())
    _tell(done, "would leave" if options.dry_run else "left", each_night=options.nights)
    return 0


def _tell(done: "CleanedUp", what: str, *, each_night: bool) -> None:
    if done.newest_night is None:
        print("No exposure came yet, so nothing is old.")
        return
    print(f"{done.files} files {what}, {done.bytes / 1e6:.1f} MB. Nights are counted back from {done.newest_night}.")
    by_rule: dict[Any, list[Any]] = defaultdict(list)
    for line in done.lines:
        by_rule[line.rule].append(line)
    for rule, lines in by_rule.items():
        files, size = sum(line.files for line in lines), sum(line.bytes for line in lines)
        nights = sorted({line.night for line in lines})
        print(f"  {rule.kind:20} {files:9} files {size / 1e6:12.1f} MB  {nights[0]} to {nights[-1]}  ({rule})")
        for night in nights if each_night else ():
            print(f"    {night} {sum(line.files for line in lines if line.night == night):9} files")
    for why, count in done.why_not.most_common():
        print(f"  {count} old enough and stay: {why}")
    if done.goes_on:
        print("  more may leave than one clean-up deletes (retention.files_at_once): run it again")


def _restore(options: argparse.Namespace) -> int:
    from nightshift.housekeeping.deleted_files import restore

    operator = _operator(options)
    with _opened(options) as context:
        done = restore(context, options.night, kind=options.kind, operator=operator, dry_run=options.dry_run)
    what = "would come back" if options.dry_run else "are back"
    for kind, count in sorted(done.files.items()):
        print(f"{count} files of kind {kind} {what}")
    for place in done.not_there:
        print(f"  the archive does not have it, or has it damaged: {place}; mend the archive first")
    return 1 if done.not_there else 0


def _disks(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from nightshift.context import open_context
    from nightshift.housekeeping.disk_watch import disk_states, sample_disks
    from nightshift.ledger.queries import housekeeping as housekeeping_queries

    with open_context() as context:
        sample_disks(context)
        states, policy = disk_states(context), context.disk_policy
        ledger_bytes = housekeeping_queries.ledger_bytes(context.ledger)
    table = Table("disk", "folder", "free", "of", "share", "a night", "forecast")
    for state in states:
        a_day = state.forecast.bytes_a_day
        table.add_row(
            state.name, state.folder, f"{state.free_bytes / 1e9:.1f} GB", f"{state.total_bytes / 1e9:.1f} GB",
            f"{state.free:.0%}", "" if a_day is None else f"{a_day / 1e9:+.2f} GB", str(state.forecast),
            style="red" if state.level(policy) is not None else None,
        )  # fmt: skip
    Console().print(table)
    print(f"The ledger's database has {ledger_bytes / 1e6:.0f} MB.")
    return 1 if any(state.level(policy) is not None for state in states) else 0
