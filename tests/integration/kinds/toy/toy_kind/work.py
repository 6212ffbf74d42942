"""Find the brightest pixel of a raw file. Input: ``raw``. Product: ``brightest``."""

from pathlib import Path

from astropy.io import fits

from nightshift.jobs.contract import UnitResult, UnitWork
from nightshift.jobs.products import product_of_bytes
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState

__all__ = ["run", "warm_up"]

warmed: list[str] = []


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Run one unit; see `nightshift.jobs.run`."""
    with fits.open(work.inputs_of("raw")[0].path) as units:
        brightest = max(int(unit.data.max()) for unit in units if unit.data is not None)
    product = product_of_bytes(folder, "brightest", "brightest.txt", f"{brightest}\n".encode())
    return UnitResult(
        work.unit_key, work.token, AttemptState.SUCCEEDED, products=(product,), metrics={"brightest": brightest}
    )


def warm_up() -> None:
    """Leave a trace that a worker was warmed up for it."""
    warmed.append("toy")
