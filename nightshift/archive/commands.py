"""The command ``archive``: fill a night's, copy it, read it again, mend it, restore it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nightshift.night_end.commands import night_of_text, opened_site

if TYPE_CHECKING:
    from nightshift.archive.rota import Verified

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the archive's commands to the command line's subparsers."""
    archive = subparsers.add_parser("archive", help="fill, copy, read again, mend and restore the archive")
    actions = archive.add_subparsers(title="actions", metavar="<action>", required=True)
    night = actions.add_parser("night", help="put a night's files into the archive with their checksums")
    night.add_argument("night", type=night_of_text)
    night.set_defaults(run=_fill)
    copies = actions.add_parser(
        "copies",
        help="make the second copies that wait; exit code 1 if some still do",
        description="Copies what waits, to the place that copies.to in policy.toml names, reads it back, and writes "
        "the lists of what the mountain may purge. With a night: all that its archive holds.",
    )
    copies.add_argument("night", type=night_of_text, nargs="?")
    copies.add_argument("--list", action="store_true", help="name what could not be copied, and why")
    copies.add_argument("--dry-run", action="store_true", help="say what waits, and copy nothing")
    copies.set_defaults(run=_copies)
    verify = actions.add_parser(
        "verify",
        help="read old files again in both places and mend what is damaged; exit code 1 if something is lost",
        description="Reads again what was read longest ago, as much as the workflow verify_archive does each day; "
        "with a night, all of it. What is damaged in one place is mended from the other.",
    )
    verify.add_argument("night", type=night_of_text, nargs="?")
    verify.add_argument("--dry-run", action="store_true", help="say how much would be read, and read nothing")
    verify.set_defaults(run=_verify)
    mend = actions.add_parser("mend", help="mend what is known to be damaged; exit code 1 if something is lost")
    mend.add_argument("night", type=night_of_text, nargs="?")
    mend.add_argument("--dry-run", action="store_true", help="name what is damaged, and change nothing")
    mend.set_defaults(run=_mend)
    for parser in (night, copies, verify, mend):
        parser.add_argument("--site", help="whose, where the survey has several sites")
    _add_restore(actions)


def _add_restore(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    restore = actions.add_parser(
        "restore",
        help="restore a night from its second copies alone; exit code 1 if a file could not be",
        description="Needs neither ledger nor depot: only the place of the copies. Each file is checked against its "
        "checksum; what is there already and good is left as it is. Nothing is written over.",
    )
    restore.add_argument("night", type=night_of_text)
    restore.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="where to; as below depot/archive")
    restore.add_argument("--from", dest="place", metavar="PLACE", help="a folder or s3://…; default: copies.to")
    restore.add_argument("--dry-run", action="store_true", help="say what would be restored, and write nothing")
    restore.add_argument("--site", help="whose night, where the survey has several sites")
    restore.set_defaults(run=_restore)


def _fill(options: argparse.Namespace) -> int:
    from nightshift.archive.night_archive import archive, not_archived

    with opened_site(options) as opened:
        context = opened.of_night(options.night)
        done = archive(context, options.night)
        lost = not_archived(context, options.night)
    print(f"{done.files} files, {done.bytes / 1e6:.1f} MB, {done.added} of them new: {done.folder}")
    for fault in lost:
        print(f"  {fault.path}: {fault.text}")
    return 1 if lost else 0


def _copies(options: argparse.Namespace) -> int:
    from nightshift.archive.copying import copies_stand, copy_night, copy_what_is_due

    with opened_site(options) as context:
        if not (options.dry_run or options.list):
            done = (
                copy_night(context, options.night, at_most_s=float("inf"), progress=_progress("copied"))
                if options.night
                else copy_what_is_due(context, at_most_s=float("inf"), at_once=True, progress=_progress("copied"))
            )
            print(done or _NO_PLACE)
        stand = copies_stand(context)
    if stand is None:
        return 1
    print(f"{stand.place}: {stand.waiting} files wait, {stand.bytes / 1e6:.1f} MB. {stand.trouble}")
    for line in stand.failing:
        print(f"  {line}")
    return 1 if stand.waiting else 0


_NO_PLACE = "The settings name no place of second copies: `to` under [copies] in policy.toml."


def _verify(options: argparse.Namespace) -> int:
    from nightshift.archive.rota import due_to_verify, verify_night_again, verify_old_nights

    with opened_site(options) as context:
        if options.dry_run:
            print(due_to_verify(context, options.night))
            return 0
        progress = _progress("read")
        done = (
            verify_night_again(context, options.night, progress=progress)
            if options.night
            else verify_old_nights(context, progress=progress)
        )
    return _told(done)


def _mend(options: argparse.Namespace) -> int:
    from nightshift.archive.rota import mend_now
    from nightshift.ledger.queries import copies as copy_queries

    with opened_site(options) as context:
        if options.dry_run:
            for row in copy_queries.damaged(context.ledger, site=context.site.name, of_night=options.night):
                print(f"{row.night} {row.place}: {row.file}: {row.says} (found {row.found_at:%Y-%m-%d %H:%M} UTC)")
            return 0
        return _told(mend_now(context, options.night))


def _told(done: "Verified") -> int:
    print(done)
    for what, names in (("damaged", done.damaged), ("mended", done.mended), ("LOST", done.lost)):
        for name in names:
            print(f"  {what}: {name}")
    return 1 if done.lost or done.trouble else 0


def _restore(options: argparse.Namespace) -> int:
    from nightshift.archive.place_in_use import place_named
    from nightshift.archive.restoring import night_index, restore
    from nightshift.context import deployment_from_environment

    deployment = deployment_from_environment()
    site = deployment.site_named(options.site).name
    place = place_named(deployment.surveys_of_site(site)[0].copies, options.place)
    if options.dry_run:
        files = night_index(place, site, options.night)
        print(f"{len(files)} files, {sum(file.bytes for file in files) / 1e6:.1f} MB, from {place.name}")
        return 0
    done = restore(place, site, options.night, options.to, progress=_progress("restored"))
    print(f"{done.files} files, {done.bytes / 1e6:.1f} MB restored and checked: {options.to}")
    for fault in done.faults:
        print(f"  {fault}")
    return 1 if done.faults else 0


def _progress(what: str) -> Callable[[int, int], None]:
    """Return what shows how far something is, on a terminal; into a file nothing is written of it."""
    import sys

    def show(files: int, size: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{files} files {what}, {size / 1e6:.0f} MB ", end="", file=sys.stderr, flush=True)

    return show
