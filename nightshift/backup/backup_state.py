"""How the ledger's backups stand: one answer for preflight, mail, status and the command line."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nightshift.backup.backup_files import Backup, backups_in
from nightshift.backup.dumping import backup_folder, backup_policy
from nightshift.backup.site_tools import site_backup
from nightshift.context import Context
from nightshift.errors import NightshiftError
from nightshift.ledger.queries import backup as backup_queries

__all__ = ["BackupState", "backup_state"]

HOUR = timedelta(hours=1)
DAY_H = 24.0


@dataclass(frozen=True)
class BackupState:
    """How the backups stand at this moment.

    Parameters
    ----------
    by : str
        Who takes them: ``dump``, ``barman`` or ``pgbackrest``.
    newest : str
        Name of the newest backup; empty where there is none.
    newest_age_h : float or None
        Hours since it was taken.
    rehearsed_age_h : float or None
        Hours since a restore was last rehearsed and ended well.
    troubles : tuple of str
        What is wrong and what to do, a sentence each. Empty: all is well.
    """

    by: str
    newest: str
    newest_age_h: float | None
    rehearsed_age_h: float | None
    troubles: tuple[str, ...]

    def __str__(self) -> str:
        if self.newest_age_h is None:
            return "The ledger has no backup."
        rehearsed = (
            "a restore was never rehearsed"
            if self.rehearsed_age_h is None
            else f"a restore was rehearsed {_ago(self.rehearsed_age_h)}"
        )
        return f"The ledger was backed up {_ago(self.newest_age_h)} ({self.newest}); {rehearsed}."


def backup_state(context: Context) -> BackupState:
    """Say how old the newest backup and the last good rehearsal are, and what is wrong.

    Ages are by the machine's clock, in a replayed night too. No dump is read: `nightshift backup verify` does that.
    """
    policy, now = backup_policy(context), datetime.now(UTC)
    troubles: list[str] = []
    if policy.by == "dump":
        newest = next(iter(backups_in(backup_folder(context), context.deployment.name)), None)
        name, taken_at = (newest.name, newest.taken_at) if newest else ("", None)
        troubles += _copy_troubles(context, newest)
        last = backup_queries.last_step(context.ledger, step="backup")
        if last is not None and not last.good:
            troubles.append(f"The last backup of the ledger failed: {last.detail}")
    else:
        try:
            name, taken_at = site_backup(policy)
        except NightshiftError as error:
            name, taken_at = "", None
            troubles.append(str(error))
    age_h = (now - taken_at) / HOUR if taken_at else None
    if age_h is None:
        troubles.append("The ledger has no backup: `nightshift backup now` takes one.")
    elif age_h > policy.oldest_h:
        troubles.append(
            f"The newest backup of the ledger is of {_ago(age_h)}, and {policy.oldest_h:.0f} hours are allowed: see "
            "why the workflow back_up_ledger took none, or take one (`nightshift backup now`)."
        )
    rehearsed_h = _rehearsed(context, troubles) if policy.by == "dump" else None
    troubles += _not_reconciled(context)
    return BackupState(policy.by, name, age_h, rehearsed_h, tuple(troubles))


def _copy_troubles(context: Context, newest: Backup | None) -> list[str]:
    folder = backup_policy(context).copy_to
    if not folder or newest is None or Backup(Path(folder), newest.name).manifest_path.exists():
        return []
    return [f"The backup {newest.name} is on one disk alone: it is not in {folder} (backup.copy_to)."]


def _rehearsed(context: Context, troubles: list[str]) -> float | None:
    """Return the hours since the last good rehearsal; what is wrong with rehearsals is added to the troubles."""
    days = backup_policy(context).rehearsed_days
    last = backup_queries.last_step(context.ledger, step="rehearsal")
    good = backup_queries.last_good_step(context.ledger, step="rehearsal")
    age_h = good.age_s / 3600 if good else None
    if last is not None and not last.good:
        troubles.append(f"The last rehearsal of a restore failed: {last.detail}")
    elif age_h is not None and age_h > days * DAY_H:
        troubles.append(
            f"A restore was last rehearsed {_ago(age_h)}, and {days:.0f} days are allowed: "
            "`nightshift backup rehearse`."
        )
    return age_h


def _not_reconciled(context: Context) -> list[str]:
    restored = backup_queries.last_good_step(context.ledger, step="restore")
    reconciled = backup_queries.last_good_step(context.ledger, step="reconcile")
    if restored is None or (reconciled is not None and reconciled.at >= restored.at):
        return []
    return [
        f"The ledger was restored from {restored.backup} and does not know yet what came after it: "
        "`nightshift backup reconcile`."
    ]


def _ago(hours: float) -> str:
    return f"{hours:.0f} hours ago" if hours < 2 * DAY_H else f"{hours / DAY_H:.0f} days ago"
