"""Which backups stay: the newest of each of the last days, weeks and months."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from itertools import islice

from nightshift.backup.backup_files import Backup
from nightshift.settings.backup import BackupPolicy

__all__ = ["those_that_stay"]


def those_that_stay(backups: Sequence[Backup], policy: BackupPolicy) -> set[Backup]:
    """Return the backups that stay by the rota. The newest always does.

    Days, weeks and months without any backup do not count, so that a pause costs none of the old ones.

    Parameters
    ----------
    backups : sequence of Backup
    policy : BackupPolicy
        How many days, weeks (from Monday) and months (UTC) it keeps the newest of.
    """
    newest_first = sorted(backups, key=lambda backup: backup.taken_at, reverse=True)
    return {
        *newest_first[:1],
        *_newest_of_each(newest_first, lambda day: day, policy.daily),
        *_newest_of_each(newest_first, lambda day: day.isocalendar()[:2], policy.weekly),
        *_newest_of_each(newest_first, lambda day: (day.year, day.month), policy.monthly),
    }


def _newest_of_each(
    newest_first: Iterable[Backup], period: Callable[[date], Hashable], periods: int
) -> Iterable[Backup]:
    newest: dict[Hashable, Backup] = {}
    for backup in newest_first:
        newest.setdefault(period(backup.taken_on), backup)
    return islice(newest.values(), periods)
