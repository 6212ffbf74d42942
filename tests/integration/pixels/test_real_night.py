"""The real night of the Hall telescope through the jobs, where its files are at hand (``NIGHTSHIFT_DATA``)."""

import os
from pathlib import Path

import pytest
from astropy.io import fits

from nightshift.files import sha256_of
from nightshift.jobs.contract import Input, JobFile, UnitResult, UnitWork
from nightshift.jobs.run import run_unit
from nightshift.settings import load_survey
from nightshift.vocabulary import AttemptState, JobKind, Reason

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
NIGHT = DATA / "lowell-20190326"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not NIGHT.is_dir(), reason=f"the real night is not at {NIGHT}; set NIGHTSHIFT_DATA"),
]


def given(role: str, path: Path, key: str = "") -> Input:
    return Input(role, str(path), sha256_of(path), key)


def run(folder: Path, kind: JobKind, name: str, inputs, parameters, **amplifier) -> UnitResult:
    survey = load_survey("lowell42")
    quadrants = tuple(q.model_copy(update=amplifier) for q in survey.camera.quadrants)
    survey = survey.model_copy(update={"camera": survey.camera.model_copy(update={"quadrants": quadrants})})
    unit = UnitWork(name, 1, "token", str(folder / name), tuple(inputs), parameters)
    job = JobFile(kind, "job", 1, "lowell42", "hash", survey.model_dump(mode="json"), ((0,),), (unit,))
    return run_unit(job, unit, survey)


def build_masters(folder: Path, **amplifier) -> dict[str, UnitResult]:
    """Build the night's bias and flat, with an amplifier that may be other than the settings'."""
    made = {}
    for kind in ("bias", "flat"):
        raws = sorted((NIGHT / kind).glob("*.fits.fz"))
        headers = [fits.getheader(path, 1) for path in raws]
        frames = [
            {"key": path.name[9:13], "exposure_id": path.name[:13], "filter": header["FILTNAME"].strip(),
             "exposure_s": float(header["EXPTIME"]), "shutter_open": f"{header['DATE-OBS']}T{header['UTCSTART']}"}
            for path, header in zip(raws, headers, strict=True)
        ]  # fmt: skip
        inputs = [given("raw", path, frame["key"]) for path, frame in zip(raws, frames, strict=True)]
        if kind == "flat":
            inputs.append(given("bias", folder / "bias" / "bias.fits"))
        told = {"calibration_kind": kind, "detector": 1, "quadrant": 1, "filter": "VR" if kind == "flat" else "",
                "frames": frames}  # fmt: skip
        made[kind] = run(folder, JobKind.MASTER, kind, inputs, told, **amplifier)
    return made


@pytest.fixture(scope="module")
def masters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masters")
    return folder, build_masters(folder)


def test_gain_and_read_noise_of_the_header_are_found_wrong_and_those_of_the_settings_right(masters, tmp_path):
    _, made = masters
    assert made["bias"].flags == made["flat"].flags == ()
    assert made["flat"].metrics["gain"] == pytest.approx(3.68, rel=0.01)
    by_header = build_masters(tmp_path, gain=4.95, read_noise=9.3)
    assert by_header["bias"].flags == (Reason.READ_NOISE_DISAGREES,)
    assert by_header["flat"].flags == (Reason.GAIN_DISAGREES,)
    assert by_header["flat"].metrics["gain"] == pytest.approx(3.68, rel=0.01)


def test_the_flat_of_another_filter_and_the_bright_one_are_kept_out_with_their_reasons(masters):
    _, made = masters
    assert made["bias"].state == AttemptState.SUCCEEDED, made["bias"].detail
    assert made["bias"].metrics["frames"] == 12
    assert made["flat"].state == AttemptState.SUCCEEDED, made["flat"].detail
    reasons = {row["key"]: row["reason"] for row in made["flat"].rows["frames"] if not row["accepted"]}
    assert reasons == {"0100": "filter_mismatch", "0101": "level_out_of_range"}


def test_frames_of_the_night_are_measured_against_its_first(masters, tmp_path):
    folder, _ = masters
    calibrations = [given(kind, folder / kind / f"{kind}.fits") for kind in ("bias", "flat")]
    catalogue: list[Input] = []
    for number in ("0126", "0140", "0192"):
        raw = NIGHT / "science" / f"20190326.{number}.fits.fz"
        header = fits.getheader(raw, 1)
        told = {
            "instrument": "nasa42", "exposure_id": f"20190326.{number}", "detector": 1, "quadrant": 1, "filter": "VR",
            "field": 1, "exposure_s": float(header["EXPTIME"]), "ra_deg": 124.62, "dec_deg": 25.33, "flags": [],
            "shutter_open": f"{header['DATE-OBS']}T{header['UTCSTART']}+00:00", "own_catalogue": bool(catalogue),
        }  # fmt: skip
        result = run(tmp_path, JobKind.SCIENCE, number, [given("raw", raw), *calibrations, *catalogue], told)
        assert result.state == AttemptState.SUCCEEDED, result.detail
        assert result.flags == ("own_catalogue",)
        assert 1.2 < result.metrics["fwhm_px"] < 3.5
        if catalogue:
            assert result.metrics["stars_matched"] > 300
            assert result.metrics["astrometry_rms_arcsec"] < 0.1
            assert result.metrics["zero_point"] == pytest.approx(25.0, abs=0.2)
        else:
            catalogue = [given("catalogue", tmp_path / number / "sources.fits")]
