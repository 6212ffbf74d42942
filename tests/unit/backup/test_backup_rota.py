"""Which backups stay."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nightshift.backup.backup_files import Backup, name_of
from nightshift.backup.backup_rota import those_that_stay
from nightshift.settings.backup import BackupPolicy

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)  # a Tuesday
POLICY = BackupPolicy(daily=7, weekly=4, monthly=6)


def backup(at: datetime) -> Backup:
    return Backup(Path("/backups"), name_of("demo", at))


def test_a_year_of_daily_backups_leaves_the_newest_of_each_day_week_and_month():
    backups = [backup(NOON - timedelta(days=days, hours=hours)) for days in range(365) for hours in (0, 6)]
    stay = sorted(b.taken_at for b in those_that_stay(backups, POLICY))
    days = [(NOON - timedelta(days=k)) for k in range(7)]
    assert stay[-7:] == days[::-1]
    sundays = [datetime(2026, 6, day, 12, tzinfo=UTC) for day in (14, 21, 28)]
    assert set(sundays) <= set(stay)
    month_ends = [datetime(2026, m, d, 12, tzinfo=UTC) for m, d in ((1, 31), (2, 28), (3, 31), (4, 30), (5, 31))]
    assert set(month_ends) <= set(stay)
    assert len(stay) == 7 + 2 + 5  # a day's newest may be its week's or month's too


def test_a_pause_of_a_year_costs_none_of_the_old_ones():
    old = [backup(NOON - timedelta(days=365 + k)) for k in range(3)]
    assert those_that_stay([backup(NOON), *old], POLICY) == {backup(NOON), *old}


@given(
    st.lists(st.integers(0, 500_000), unique=True, max_size=60),
    st.integers(1, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_the_newest_always_stays_and_what_stays_is_bounded(minutes, daily, weekly, monthly):
    backups = [backup(NOON - timedelta(minutes=m)) for m in minutes]
    policy = BackupPolicy(daily=daily, weekly=weekly, monthly=monthly)
    stay = those_that_stay(backups, policy)
    assert stay <= set(backups)
    assert not backups or max(backups, key=lambda b: b.taken_at) in stay
    assert len(stay) <= daily + weekly + monthly
    assert those_that_stay(list(stay), policy) == stay  # a second look removes nothing
