"""One quadrant of survey size (3080x3072 pixels, the `ztf` camera's) on disk, with its truth."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from nightshift.files import sha256_of
from nightshift.jobs.contract import Input, JobFile, UnitResult, UnitWork, read_result, write_job_file
from nightshift.settings import Survey, load_survey
from nightshift.vocabulary import AttemptState, ImageType
from rehearsal.simulator.calibrators import reference_catalogue
from rehearsal.simulator.expose import ExposedFile, NightSky, Unit, expose
from rehearsal.simulator.night_plan import DEFAULT_NIGHT, Exposure, plan_night
from rehearsal.simulator.scale import NightScale
from rehearsal.simulator.simulate import night_sky
from rehearsal.simulator.simulated_sky import Cell, Galaxies, Stars, cells_around, galaxies_of_cells, stars_of_cells

__all__ = [
    "Quadrant",
    "Run",
    "master_work",
    "one_quadrant",
    "run_job",
    "run_twice",
    "science_work",
    "scratch",
    "simulate",
    "startup_s",
]

DETECTOR, QUADRANT, FILTER = 6, 1, "zr"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Quadrant:
    """A simulated quadrant of a night and what is true of it.

    Parameters
    ----------
    survey : Survey
        The `ztf` survey with this quadrant alone, the overscan as an image of its own beside it.
    sky : NightSky
    unit : Unit
    folder : Path
    science : Exposure
    raws : dict of str to list of (Exposure, Path)
        By image type.
    truth : ExposedFile
        Of the science frame: cosmic rays among others.
    catalogue : Path
    """

    survey: Survey
    sky: NightSky
    unit: Unit
    folder: Path
    science: Exposure
    raws: dict[str, list[tuple[Exposure, Path]]]
    truth: ExposedFile
    catalogue: Path

    def stars(self) -> Stars:
        """Return every star of the simulated sky around the quadrant."""
        return stars_of_cells(*self._sky_around())

    def galaxies(self) -> Galaxies:
        """Return every galaxy of the simulated sky around the quadrant."""
        return galaxies_of_cells(*self._sky_around())

    def _sky_around(self) -> tuple[int, int, tuple[float, float], tuple[Cell, ...]]:
        field = self.sky.fields[self.science.field]
        rows, columns = self.unit.geometry.shape
        cells = cells_around(*self.unit.geometry.nominal_standard(np.array([0, columns]), np.array([0, rows])))
        return self.sky.seed, field.id, (field.ra_deg, field.dec_deg), cells


@dataclass(frozen=True)
class Run:
    """A job that ran in a process of its own: its result, and the whole process's time and memory."""

    result: UnitResult
    cpu_s: float
    peak_gb: float


def one_quadrant(shape: tuple[int, int] = (3080, 3072)) -> Survey:
    """Return the `ztf` survey with one quadrant of one detector."""
    survey = load_survey("ztf")
    camera = survey.camera
    quadrant = camera.quadrant(DETECTOR, QUADRANT).model_copy(update={"overscan_extension": 2, "shape": shape})
    chip = next(d for d in camera.detectors if d.id == DETECTOR)
    camera = camera.model_copy(update={"quadrants": (quadrant,), "detectors": (chip,)})
    return survey.model_copy(update={"camera": camera})


def simulate(
    folder: Path,
    *,
    seed: int,
    biases: int = 5,
    darks: int = 5,
    flats: int = 5,
    shape: tuple[int, int] = (3080, 3072),
    night: date = DEFAULT_NIGHT,
    fields: int | None = None,
    visits: int = 1,
) -> Quadrant:
    """Simulate the frames of one quadrant."""
    survey = one_quadrant(shape)
    scale = NightScale(fields=fields, filters=(FILTER,), visits=visits, biases=biases, darks=darks, flats=flats)
    exposures = plan_night(survey, scale, seed=seed, night=night)
    sky = night_sky(survey, scale, exposures, seed=seed, night=night)
    raws: dict[str, list[tuple[Exposure, Path]]] = {}
    science = next(e for e in exposures if e.image_type == ImageType.SCIENCE)
    truth = None
    for exposure in exposures:
        made = expose(sky, exposure, DETECTOR)
        path = folder / made.name
        path.write_bytes(made.content)
        raws.setdefault(str(exposure.image_type), []).append((exposure, path))
        if exposure is science:
            truth = replace(made, content=b"")
    assert truth is not None
    catalogue = folder / "catalogue.fits"
    reference_catalogue(survey, sky.fields[science.field], (FILTER,), seed).write(catalogue, overwrite=True)
    unit = Unit.of(survey, DETECTOR, QUADRANT)
    return Quadrant(survey, sky, unit, folder, science, raws, truth, catalogue)


def master_work(quadrant: Quadrant, kind: str, made: Sequence[Path] = ()) -> UnitWork:
    """Return the work of building one master; `made` are the masters that it needs."""
    frames = quadrant.raws[kind]
    told = {
        "calibration_kind": kind,
        "detector": DETECTOR,
        "quadrant": QUADRANT,
        "filter": FILTER if kind == "flat" else "",
        "frames": [
            {"key": e.exposure_id, "exposure_id": e.exposure_id, "filter": e.filter, "exposure_s": e.exposure_s,
             "shutter_open": e.shutter_open.isoformat()}
            for e, _ in frames
        ],
    }  # fmt: skip
    inputs = [_input("raw", path, e.exposure_id) for e, path in frames]
    inputs += [_input(path.stem, path) for path in made]
    return UnitWork(kind, 1, "token", str(quadrant.folder / f"made-{kind}"), tuple(inputs), told)


def science_work(quadrant: Quadrant, masters: Sequence[Path], name: str = "science", *, number: int = 0) -> UnitWork:
    """Return the work of reducing a science frame, the first by default."""
    exposure, path = quadrant.raws["science"][number]
    assert exposure.commanded is not None
    told: dict[str, Any] = {
        "instrument": "ztf", "exposure_id": exposure.exposure_id, "detector": DETECTOR, "quadrant": QUADRANT,
        "filter": FILTER, "field": exposure.field, "exposure_s": exposure.exposure_s,
        "shutter_open": exposure.shutter_open.isoformat(), "ra_deg": exposure.commanded.ra_deg,
        "dec_deg": exposure.commanded.dec_deg, "airmass": exposure.airmass, "flags": [], "own_catalogue": False,
    }  # fmt: skip
    inputs = [_input("raw", path), _input("catalogue", quadrant.catalogue)]
    inputs += [_input(path.stem, path) for path in masters]
    return UnitWork(name, 1, "token", str(quadrant.folder / name), tuple(inputs), told)


def _input(role: str, path: Path, key: str = "") -> Input:
    return Input(role, str(path), sha256_of(path), key or path.name)


def run_job(quadrant: Quadrant, kind: str, work: UnitWork) -> Run:
    """Run one unit as a node does, in a fresh process of one thread.

    Raises
    ------
    RuntimeError
        If the unit does not succeed.
    """
    job = JobFile(
        kind,
        work.unit_key,
        1,
        quadrant.survey.name,
        "hash",
        quadrant.survey.model_dump(mode="json"),
        ((0,),),
        (work,),
    )
    path = quadrant.folder / f"job-{work.unit_key}.json"
    write_job_file(path, job)
    (Path(work.folder) / "result.json").unlink(missing_ok=True)
    cpu, peak = measured([sys.executable, "-m", "nightshift.jobs", str(kind), str(path)])
    result = read_result(Path(work.folder), work.token)
    if result is None or result.state != AttemptState.SUCCEEDED:
        raise RuntimeError(f"{work.unit_key}: {result and (result.state, result.reason, result.detail)}")
    return Run(result, cpu, peak)


def run_twice(quadrant: Quadrant, work: UnitWork) -> tuple[UnitResult, UnitResult]:
    """Run the science unit twice in one fresh process; return both results: the second is a warm worker's."""
    units = tuple(
        replace(work, unit_key=f"{work.unit_key}-{turn}", folder=f"{work.folder}-{turn}") for turn in (1, 2)
    )
    settings = quadrant.survey.model_dump(mode="json")
    job = JobFile("science", "twice", 1, quadrant.survey.name, "hash", settings, ((0, 1),), units)
    write_job_file(quadrant.folder / "job-twice.json", job)
    measured([sys.executable, "-m", "nightshift.jobs", "science", str(quadrant.folder / "job-twice.json")])
    first, second = (read_result(Path(unit.folder), unit.token) for unit in units)
    assert first is not None
    assert second is not None
    return first, second


def measured(command: Sequence[str], **options: Any) -> tuple[float, float]:
    """Run a command with one thread; return its CPU seconds and its peak memory in 10^9 bytes."""
    with subprocess.Popen(command, env={**os.environ, **ONE_THREAD}, **options) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def startup_s(kind: str) -> float:
    """Return the CPU seconds from a process's start to where it could begin a kind of job; the least of three."""
    code = f"import nightshift.jobs.__main__, nightshift.jobs.{kind}"
    return min(measured([sys.executable, "-c", code])[0] for _ in range(3))


def build_masters(quadrant: Quadrant) -> list[Path]:
    """Build every master that there are frames for; return them in the order bias, dark, flat."""
    made: list[Path] = []
    for kind in ("bias", "dark", "flat"):
        if kind in quadrant.raws:
            run_job(quadrant, "master", master_work(quadrant, kind, made))
            made.append(quadrant.folder / f"made-{kind}" / f"{kind}.fits")
    return made


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="nightshift-bench-") as folder:
        yield Path(folder)


def sources_of(run: Run, quadrant: Quadrant, name: str = "science") -> Table:
    """Return the table of sources that a run left."""
    return Table.read(quadrant.folder / name / "sources.fits")
