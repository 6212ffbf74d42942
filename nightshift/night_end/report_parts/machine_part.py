"""How the machine stands: the afternoon's checks, backups, copies, what was deleted, and the disks."""

from collections.abc import Iterator
from datetime import date

from nightshift.context import Context
from nightshift.housekeeping.clean_up_summary import clean_up_summary
from nightshift.housekeeping.disk_watch import DiskState, disk_states
from nightshift.ledger.queries import backup as backup_queries
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries import messages as message_queries
from nightshift.night_end.report_elements import ARCHIVE, Cell, Section, Tone, columns
from nightshift.night_end.report_parts import ReportPart, report_part
from nightshift.night_end.report_text import size
from nightshift.preflight.afternoon_run import summary_line

__all__ = ["disks", "machine"]

Row = tuple[str, str]


@report_part("The machine", rank=10, after=ARCHIVE)
def machine(context: Context, night: date) -> ReportPart:
    """Return a row a thing that keeps the data safe and people told."""
    rows: list[Row] = [("Checks of the afternoon", summary_line(context, night) or "none were made")]
    rows += [("Backup of the ledger", _step(context, "backup")), ("Restore, rehearsed", _step(context, "rehearsal"))]
    rows.append(("Second copies", _copies(context)))
    rows.append(("Clean-up", clean_up_summary(context, night).sentence))
    rows += _silent_channels(context)
    return ReportPart((Section("The machine", columns("What", "How it stands"), rows),))


def _step(context: Context, step: str) -> str:
    last = backup_queries.last_step(context.ledger, step=step)
    good = backup_queries.last_good_step(context.ledger, step=step)
    if last is not None and not last.good:
        return Cell(f"failed: {last.detail}", Tone.BAD)
    return f"{good.at:%Y-%m-%d %H:%M} UTC, {good.backup}" if good else "never"


def _copies(context: Context) -> str:
    site = context.site.name
    place = next((row.place for row in housekeeping_queries.second_places(context.ledger, sites=[site])), None)
    if place is None:
        return "none: the settings name no place ([copies] to)"
    waiting = copy_queries.waiting(context.ledger, site=site, place=place)
    if waiting is None or not waiting.files:
        return f"all made and read back, in {place}"
    return Cell(f"{waiting.files} files ({size(waiting.bytes)}) wait for {place}", Tone.WARN)


def _silent_channels(context: Context) -> Iterator[Row]:
    """Give the channels by which no message reaches anybody."""
    for failing in message_queries.failing_channels(context.ledger):
        yield f"Messages by {failing.channel}", Cell(f"fail: {failing.error}", Tone.BAD)


@report_part("Disks", rank=20, after=ARCHIVE)
def disks(context: Context, night: date) -> ReportPart | None:
    """Return a row a disk with its forecast; nothing where none was looked at yet."""
    rows = [_disk(state) for state in disk_states(context)]
    if not rows:
        return None
    titles = columns("Disk", "Folder", ">Free", ">Of", ">Full in")
    return ReportPart((Section("Disks", titles, rows, "At the rate of the last nights."),))


def _disk(state: DiskState) -> tuple[str, ...]:
    days = state.forecast.days
    full = "—" if days is None else f"{days:.0f} days"
    return state.name, state.folder, size(state.free_bytes), size(state.total_bytes), full
