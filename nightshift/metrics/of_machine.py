"""The machine: disks, backups, second copies, and troubles that people were told of."""

from collections.abc import Iterator

from nightshift.ledger.queries import backup as backup_queries
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries import metrics as queries
from nightshift.metrics.families import Row, SiteNight, family

__all__ = ["backup_age", "copies_waiting", "disk_free", "disk_full", "disk_size", "troubles"]


@family("disk_free_bytes", "What is free on a disk, by its last sample.", "disk")
def disk_free(of: SiteNight) -> Iterator[Row]:
    """Give each disk that was looked at."""
    for state in of.disks:
        yield (state.name,), state.free_bytes


@family("disk_size_bytes", "How much a disk holds.", "disk")
def disk_size(of: SiteNight) -> Iterator[Row]:
    """Give each disk that was looked at."""
    for state in of.disks:
        yield (state.name,), state.total_bytes


@family(
    "disk_full_days",
    "Days until a disk is full at the rate of the last nights; absent where it does not fill.",
    "disk",
)
def disk_full(of: SiteNight) -> Iterator[Row]:
    """Give each disk that fills."""
    for state in of.disks:
        if state.forecast.days is not None:
            yield (state.name,), state.forecast.days


@family("backup_age_seconds", "Age of the newest good backup of the ledger; absent where there is none.")
def backup_age(of: SiteNight) -> Iterator[Row]:
    """Give the age."""
    good = backup_queries.last_good_step(of.context.ledger, step="backup")
    if good is not None:
        yield (), good.age_s


@family("copies_waiting_files", "Files that wait for their second copy; absent where none are made.", "site")
def copies_waiting(of: SiteNight) -> Iterator[Row]:
    """Give the files of each site."""
    for row in housekeeping_queries.second_places(of.context.ledger, sites=[of.site]):
        waiting = copy_queries.waiting(of.context.ledger, site=of.site, place=row.place)
        if waiting is not None:
            yield (of.site,), waiting.files


@family("troubles_open", "Troubles that people were told of and that are not over.", "site", "level")
def troubles(of: SiteNight) -> Iterator[Row]:
    """Give those of each site; those of none have an empty site."""
    for row in queries.open_troubles(of.context.ledger, sites=[of.site, ""]):
        yield (row.site, row.level), row.troubles
