"""The command ``backup``."""

import argparse
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.backup.backup_files import Backup
    from nightshift.settings import Deployment

__all__ = ["register"]

NEWEST = "newest"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``backup`` and its actions to the command line's subparsers."""
    parser = subparsers.add_parser(
        "backup",
        help="back the ledger up, verify and list its backups, rehearse a restore, restore",
        description="The ledger's backups (docs/backup.md). Finds the ledger by NIGHTSHIFT_LEDGER and its like, or "
        "without them in the home of the survey on this machine, whether its stack runs or not.",
    )
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True)
    _add(actions, "now", _now, "take a backup, read it back, copy it, and remove what the rota gives up")
    _add(actions, "list", _list, "list the backups, how old they are, and what is wrong")
    verify = _add(actions, "verify", _verify, "read backups back and compare them with their checksums")
    verify.add_argument("--all", action="store_true", help="all of them, also the copies; by default the newest")
    _add(actions, "rehearse", _rehearse, "restore the newest backup into a server of its own and compare")
    restore = _add(actions, "restore", _restore, "restore the ledger, and reconcile it with what lies in the depot")
    restore.add_argument(
        "--from", dest="source", required=True, metavar="FILE", help=f"the dump's file, or the word {NEWEST}"
    )
    restore.add_argument("--dry-run", action="store_true", help="check it, and say what would be replaced and lost")
    restore.add_argument("--force", action="store_true", help="replace a ledger that holds nights")
    reconcile = _add(actions, "reconcile", _reconcile, "let a restored ledger learn what came after its backup")
    reconcile.add_argument("--since", type=date.fromisoformat, metavar="NIGHT", help="the first night to look at")
    reconcile.add_argument("--dry-run", action="store_true", help="only count what would be taken in")


def _add(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    says: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
    parser.add_argument(
        "--survey", default=os.environ.get("NIGHTSHIFT_SURVEY", "demo"),
        help="whose ledger; or NIGHTSHIFT_SURVEY (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser


def _now(options: argparse.Namespace) -> None:
    from nightshift.backup.dumping import take_backup
    from nightshift.backup.opened_ledger import opened

    with opened(options.survey) as context:
        print(take_backup(context))


def _list(options: argparse.Namespace) -> int:
    from nightshift.backup.backup_files import backups_in
    from nightshift.backup.backup_state import backup_state
    from nightshift.backup.dumping import backup_folder
    from nightshift.backup.opened_ledger import opened

    with opened(options.survey) as context:
        for backup in backups_in(backup_folder(context), context.deployment.name):
            print(_line(backup))
        state = backup_state(context)
    for line in (state, *state.troubles):
        print(line)
    return 1 if state.troubles else 0


def _line(backup: "Backup") -> str:
    from nightshift.errors import BadInput

    try:
        manifest = backup.manifest
    except BadInput as error:
        return str(error)
    rows = sum(manifest.rows.values())
    newest = manifest.newest_night or "no night"
    return f"{backup.dump}  {manifest.bytes / 1e6:.1f} MB  {rows} rows  schema {manifest.revision}  {newest}"


def _verify(options: argparse.Namespace) -> int:
    from nightshift.backup.backup_files import backups_in
    from nightshift.backup.dumping import backup_folder, backup_policy
    from nightshift.backup.opened_ledger import opened

    with opened(options.survey) as context:
        copies = backup_policy(context).copy_to
        folders = [backup_folder(context), *([Path(copies)] if copies else [])]
        name = context.deployment.name
    chosen = [backup for folder in folders for backup in backups_in(folder, name)[: None if options.all else 1]]
    faults = [fault for backup in chosen if (fault := backup.fault())]
    for fault in faults:
        print(fault)
    print(f"{len(chosen)} backups were read, {len(faults)} are not whole")
    return 1 if faults or not chosen else 0


def _rehearse(options: argparse.Namespace) -> None:
    from nightshift.backup.opened_ledger import opened
    from nightshift.backup.restore_rehearsal import rehearse

    with opened(options.survey) as context:
        print(rehearse(context))


def _restore(options: argparse.Namespace) -> int:
    from nightshift.backup.ledger_restore import plan_restore, restore
    from nightshift.backup.opened_ledger import forget_runs, ledger_to_restore
    from nightshift.settings import load_deployment

    deployment = load_deployment(options.survey)
    backup = _chosen(options.source, deployment)
    with ledger_to_restore(deployment, make=not options.dry_run) as url:
        if options.dry_run:
            for line in plan_restore(url, backup, deployment).lines():
                print(line)
            return 0
        for line in restore(url, backup, deployment, force=options.force).lines():
            print(line)
    print(f"The ledger was restored from {backup.dump}.")
    print(forget_runs(options.survey))
    return _reconcile(argparse.Namespace(survey=options.survey, since=None, dry_run=False))


def _chosen(source: str, deployment: "Deployment") -> "Backup":
    """Return the backup that was named, or the newest whole one of the survey's folder."""
    from nightshift.backup.backup_files import backup_at, newest_good
    from nightshift.errors import BadInput
    from nightshift.stack.home import Home
    from nightshift.vocabulary import Reason

    if source != NEWEST:
        return backup_at(Path(source))
    depot = os.environ.get("NIGHTSHIFT_DEPOT") or str(Home.of(deployment.name).depot)
    folder = Path(deployment.surveys[0].backup.folder or f"{depot}/backups")
    backup, faults = newest_good(folder, deployment.name)
    for fault in faults:
        print(f"passed over: {fault}")
    if backup is None:
        raise BadInput(Reason.NEVER_ARRIVED, f"{folder} has no whole backup of {deployment.name}: name one's file")
    return backup


def _reconcile(options: argparse.Namespace) -> int:
    from nightshift.backup.opened_ledger import opened
    from nightshift.backup.reconciling import reconcile

    with opened(options.survey) as context:
        done = reconcile(context, since=options.since, dry_run=options.dry_run)
    print(f"{'Would be done: ' if options.dry_run else ''}{done}")
    for line in done.left:
        print(f"left: {line}")
    return 1 if done.left else 0
