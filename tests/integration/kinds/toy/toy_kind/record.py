"""What a toy leaves in the ledger: its product, and an event of the night."""

from datetime import date
from pathlib import Path

from nightshift.context import Context
from nightshift.jobs.contract import UnitWork
from nightshift.kinds.exposures import exposure_of
from nightshift.vocabulary import EventLevel
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject

__all__ = ["home", "record"]


def home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder of a product, and its night."""
    night = exposure_of(context, subject).night
    return context.depot.root / "processed" / f"{night:%Y/%m%d}" / work.unit_key, night


def record(context: Context, ending: Ending) -> None:
    """Write what was found."""
    if ending.succeeded:
        context.ledger.event(
            EventLevel.INFO, "toy_found", f"The brightest pixel has {ending.metrics['brightest']} ADU.",
            subject=ending.work.unit_key, night_time=context.clock.now(),
        )  # fmt: skip
