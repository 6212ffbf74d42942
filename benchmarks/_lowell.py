"""The real night of Lowell Observatory's Hall 42-inch through the jobs, without Airflow and without a ledger."""

import os
from pathlib import Path
from typing import Any

from astropy.io import fits

from nightshift.files import sha256_of
from nightshift.jobs.contract import Input, JobFile, UnitResult, UnitWork
from nightshift.jobs.run import run_unit
from nightshift.settings import Survey, load_survey
from nightshift.vocabulary import AttemptState

__all__ = ["MEMBERS", "Night", "without_cosmic_rays_rejected"]

MEMBERS = 6  # of the reference: the night's first frames, as the survey's policy has it


class Night:
    """The files of the night and what the jobs make of them in a folder.

    Parameters
    ----------
    folder : Path
        Where the products go.
    raw : Path
        ``lowell-20190326`` of the test data.
    """

    def __init__(self, folder: Path, raw: Path):
        self.folder, self.raw = folder, raw
        self.survey = load_survey("lowell42")
        self.numbers = [path.name[9:13] for path in sorted((raw / "science").glob("*.fits.fz"))]

    @staticmethod
    def place() -> Path:
        """Return where the night's files are looked for."""
        data = os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")
        return Path(data) / "lowell-20190326"

    def masters(self) -> dict[str, UnitResult]:
        """Make the bias and the flat."""
        made = {}
        for kind in ("bias", "flat"):
            raws = sorted((self.raw / kind).glob("*.fits.fz"))
            frames = []
            for path in raws:
                header = fits.getheader(path, 1)
                frames.append(
                    {"key": path.name[9:13], "exposure_id": path.name[:13], "filter": header["FILTNAME"].strip(),
                     "exposure_s": float(header["EXPTIME"]), "shutter_open": _opened(header)}
                )  # fmt: skip
            inputs = [_given("raw", path, path.name[9:13]) for path in raws]
            if kind == "flat":
                inputs.append(_given("bias", self.folder / "bias" / "bias.fits"))
            told = {"calibration_kind": kind, "detector": 1, "quadrant": 1,
                    "filter": "VR" if kind == "flat" else "", "frames": frames}  # fmt: skip
            made[kind] = self._run("master", kind, inputs, told)
        return made

    def science(self, number: str, *, name: str = "", survey: Survey | None = None) -> UnitResult:
        """Reduce a frame; the night's first is the catalogue of the others."""
        raw = self.raw / "science" / f"20190326.{number}.fits.fz"
        header = fits.getheader(raw, 1)
        first = number == self.numbers[0]
        told = {
            "instrument": "nasa42", "exposure_id": f"20190326.{number}", "detector": 1, "quadrant": 1, "filter": "VR",
            "field": 1, "exposure_s": float(header["EXPTIME"]), "ra_deg": 124.62, "dec_deg": 25.33, "flags": [],
            "shutter_open": _opened(header) + "+00:00", "own_catalogue": not first,
        }  # fmt: skip
        inputs = [_given("raw", raw)]
        inputs += [_given(kind, self.folder / kind / f"{kind}.fits") for kind in ("bias", "flat")]
        if not first:
            inputs.append(_given("catalogue", self.folder / self.numbers[0] / "sources.fits"))
        return self._run("science", name or number, inputs, told, survey)

    def reference(self) -> UnitResult:
        """Combine the night's first frames, which must be reduced."""
        inputs = []
        for number in self.numbers[:MEMBERS]:
            inputs += self._products(number, ("calibrated", "sources"))
        return self._run("reference", "reference", inputs, {})

    def difference(self, number: str) -> UnitResult:
        """Difference and search a frame that is reduced."""
        inputs = self._products(number, ("calibrated", "sources"))
        inputs += self._products("reference", ("reference", "reference_sources"))
        return self._run("difference", f"{number}-difference", inputs, {"exposure_s": 300.0})

    def _products(self, name: str, kinds: tuple[str, ...]) -> list[Input]:
        return [_given(kind, self.folder / name / f"{kind}.fits", f"{name}/{kind}") for kind in kinds]

    def _run(
        self, kind: str, name: str, inputs: list[Input], told: dict[str, Any], survey: Survey | None = None
    ) -> UnitResult:
        survey = survey or self.survey
        unit = UnitWork(name, 1, "token", str(self.folder / name), tuple(inputs), told)
        job = JobFile(kind, name, 1, survey.name, "hash", survey.model_dump(mode="json"), ((0,),), (unit,))
        result = run_unit(job, unit, survey)
        if result.state != AttemptState.SUCCEEDED:
            raise RuntimeError(f"{name}: {result.state}, {result.reason}: {result.detail}")
        return result


def _given(role: str, path: Path, key: str = "") -> Input:
    return Input(role, str(path), sha256_of(path), key or path.name)


def _opened(header: fits.Header) -> str:
    return f"{header['DATE-OBS']}T{header['UTCSTART']}"


def without_cosmic_rays_rejected(survey: Survey) -> Survey:
    """Return the survey with a threshold of cosmic rays that none reaches."""
    return survey.model_copy(update={"reduction": survey.reduction.model_copy(update={"cosmic_ray_sigma": 1e9})})
