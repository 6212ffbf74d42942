"""Difference a calibrated quadrant that was taken before its reference.

Inputs: ``calibrated``, ``sources``, ``reference``, ``reference_sources``. Products: ``difference``, ``cutouts``.
"""

from pathlib import Path

from astropy.io import fits
from astropy.table import Table

from nightshift.errors import NeedsOperator
from nightshift.jobs.contract import UnitResult, UnitWork
from nightshift.kinds.difference.differencing import DifferenceOutcome, difference_unit, warm_up
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, ErrorClass, Reason, UnitState
from reduction.image.frame import read_frame
from reduction.measure.psf import PsfModel

__all__ = ["run", "warm_up"]


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Run one unit; see `nightshift.jobs.run`."""
    outcome = difference_of_products(work, survey, folder)
    done = outcome.state == UnitState.PROCESSED
    return UnitResult(
        work.unit_key,
        work.token,
        AttemptState.SUCCEEDED if done else AttemptState.REJECTED,
        reason=outcome.reason,
        error_class=None if done else ErrorClass.BAD_INPUT,
        detail=outcome.detail,
        products=outcome.products,
        metrics=outcome.metrics,
        rows=outcome.rows,
        seconds=outcome.seconds,
    )


def difference_of_products(work: UnitWork, survey: Survey, folder: Path) -> DifferenceOutcome:
    """Difference a calibrated quadrant as it was written, with its sources and PSF."""
    calibrated, sources = work.input("calibrated"), work.input("sources")
    if calibrated is None or sources is None:
        raise NeedsOperator(
            Reason.INPUT_LOST, f"{work.unit_key}: a difference needs a calibrated frame and its sources"
        )
    path = Path(calibrated.path)
    with fits.open(path, memmap=False) as units:
        psf = PsfModel.from_hdu(units["PSF"])
    return difference_unit(work, survey, folder, read_frame(path), Table.read(sources.path), psf)
