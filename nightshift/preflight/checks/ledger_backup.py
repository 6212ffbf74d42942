"""How old the last good backup of the ledger is."""

from nightshift.ledger.queries import backup as backup_queries
from nightshift.preflight.check import Afternoon, Finding, check, green, red, yellow

__all__ = ["check_backup", "judge_backup"]

HOUR_S = 3600.0


@check("backup", "Backup of the ledger")
def check_backup(afternoon: Afternoon) -> Finding:
    """Look for the newest backup that ended well, among the steps that backups write down."""
    step = backup_queries.last_good_step(afternoon.context.ledger, step="backup")
    return judge_backup(afternoon, None if step is None else step.age_s / HOUR_S)


def judge_backup(afternoon: Afternoon, hours: float | None) -> Finding:
    """Judge the age of a backup; None: there is none."""
    policy, advice = afternoon.policy, "Make one: nightshift backup now; see why none was made."
    if hours is None:
        return yellow("There is no good backup of the ledger yet", advice)
    sentence, number = f"The last good one is {hours:.0f} hours old", round(hours, 1)
    if hours > policy.backup_fail_hours:
        return red(sentence, advice, number=number, unit="hours")
    if hours > policy.backup_warn_hours:
        return yellow(sentence, advice, number=number, unit="hours")
    return green(sentence, number=number, unit="hours")
