"""What a draft says of a camera of which everything is known."""

from collections import Counter
from datetime import datetime

import numpy as np
import pytest
from astropy.io import fits

from nightshift.ingest.dry_run import files_below, find_out
from nightshift.new_camera.guesses import Certainty
from nightshift.new_camera.settings_writer import text_of, write_draft
from nightshift.settings import SettingsError, load_deployment, load_survey
from tests.unit.new_camera.conftest import GAIN, OVERSCAN, PEDESTAL, READ_NOISE, SHAPE


def loaded(proposal, tmp_path, monkeypatch):
    write_draft(proposal.draft, tmp_path / "config" / "toy", "toy files")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path / "config"))
    return load_survey("toy")


def answered(tmp_path, monkeypatch, **answers):
    """Put answers in the place of questions, a line each, and load the settings."""
    for file in (tmp_path / "config" / "toy").glob("*.toml"):
        lines = file.read_text().splitlines()
        for k, line in enumerate(lines):
            key = line.partition(" = ")[0]
            if key in answers:
                lines[k] = f"{key} = {answers[key]}"
        file.write_text("\n".join(lines))
    return load_survey("toy")


def test_gain_read_noise_sections_and_shape_are_measured(toycam, proposed):
    toycam.night()
    _, values = proposed()
    lit = SHAPE[1] - OVERSCAN
    assert values["camera.quadrants.gain"].value == pytest.approx(GAIN, rel=0.03)
    assert values["camera.quadrants.read_noise"].value == pytest.approx(READ_NOISE, rel=0.1)
    assert values["camera.quadrants.shape"].value == list(SHAPE)
    assert values["camera.quadrants.data_section"].value == f"[1:{lit - 1},1:{SHAPE[0]}]"
    assert values["camera.quadrants.overscan_section"].value == f"[{lit + 5}:{SHAPE[1] - 1},1:{SHAPE[0]}]"


def test_sections_of_the_header_are_checked_against_the_pixels(toycam, proposed):
    lit = SHAPE[1] - OVERSCAN
    toycam.cards |= {"TRIMSEC": f"[1:{lit},1:{SHAPE[0]}]", "BIASSEC": f"[{lit + 4}:{SHAPE[1]},1:{SHAPE[0]}]"}
    toycam.night()
    _, values = proposed()
    assert values["camera.quadrants.data_section"].certainty is Certainty.SURE
    assert values["camera.quadrants.sections_from_header"].value is True


def test_sections_of_the_header_that_the_pixels_deny_are_said(toycam, proposed):
    toycam.cards["TRIMSEC"] = f"[30:{SHAPE[1]},1:{SHAPE[0]}]"
    toycam.night()
    proposal, values = proposed()
    assert values["camera.quadrants.data_section"].certainty is Certainty.UNSURE
    assert any("TRIMSEC and the pixels differ" in note for note in proposal.draft.notes)


def test_the_draft_loads_once_its_questions_are_answered(toycam, proposed, tmp_path, monkeypatch):
    toycam.night()
    proposal, values = proposed()
    asked = [key for key, guess in values.items() if guess.certainty is Certainty.ASKED]
    assert asked == [
        "site.elevation_m", "site.observatory_code", "site.telescope", "camera.pixel_scale_arcsec", "camera.parity",
        "camera.rotation_deg", "alerts.publisher",
    ]  # fmt: skip
    with pytest.raises(SettingsError, match=r"camera\.toml: camera\.pixel_scale_arcsec: How many arcseconds"):
        loaded(proposal, tmp_path, monkeypatch)
    survey = answered(tmp_path, monkeypatch, pixel_scale_arcsec=1.0)
    assert survey.camera.quadrants[0].shape == SHAPE
    assert survey.site.longitude_deg == -70.5


def test_every_value_has_its_certainty_beside_it(toycam, proposed):
    toycam.night()
    proposal, _ = proposed()
    lines = text_of(proposal.draft.files["camera.toml"], "toy files").splitlines()
    gain = next(k for k, line in enumerate(lines) if line.startswith("gain = "))
    assert lines[gain - 1].startswith("# likely: Measured on 4 flats")


def test_a_dark_of_0_s_is_a_bias(toycam, proposed):
    for number in range(3):
        toycam.write(f"a{number:03}.fits", "DARK", datetime(2026, 1, 16, 1, number), EXPTIME=0.0)
        toycam.write(f"b{number:03}.fits", "DARK", datetime(2026, 1, 16, 2, number), EXPTIME=60.0)
    proposal, _ = proposed()
    assert Counter(kind.value for kind in proposal.found.types.kinds) == {"bias": 3, "dark": 3}


def test_a_flat_that_is_called_an_object_is_a_flat(toycam, proposed):
    toycam.night()
    for number in range(2):
        toycam.write(
            f"sky_{number:04}.fits", "OBJECT", datetime(2026, 1, 16, 9, number), 9000, OBJECT="dome flat", FILTER="r"
        )
    proposal, _ = proposed()
    assert Counter(kind.value for kind in proposal.found.types.kinds)["flat"] == 6


def test_biases_of_another_readout_mode_are_set_aside(toycam, proposed):
    toycam.night()
    for number in range(2):
        toycam.write(f"fast_{number:04}.fits", "BIAS", datetime(2026, 1, 16, 9, number), READOUT="30 MHz")
    for file in toycam.folder.glob("img*"):
        fits.setval(file, "READOUT", value="1 MHz")
    proposal, _ = proposed()
    assert Counter(kind.value for kind in proposal.found.types.kinds)["engineering"] == 2


def test_names_that_come_again_take_the_night_into_the_id(toycam, proposed):
    toycam.night(prefix="first/")
    toycam.night(datetime(2026, 1, 17, 1), prefix="second/")
    _, values = proposed()
    assert values["camera.file_names.exposure_id"].value == "{night}_{exposure}"
    assert values["camera.file_names.exposure_id"].certainty is Certainty.SURE


def test_a_western_longitude_counted_west_is_found_by_the_sun(toycam, proposed):
    toycam.cards["SITELONG"] = "+70 30 00"
    toycam.night(datetime(2026, 1, 16, 4))
    _, values = proposed()
    assert values["site.longitude_deg"].value == -70.5
    assert "west positive" in values["site.longitude_deg"].says
    assert values["site.time_zone"].value == "Etc/GMT+5"


@pytest.mark.parametrize("kind", ["nan", "scaled", "signed", "long"])
def test_pixels_of_any_kind_are_read(toycam, proposed, kind):
    toycam.night()
    for number in range(4):
        pixels = toycam.pixels(9000.0).astype(np.float32)
        cards = {}
        if kind == "nan":
            pixels[3:6, 7] = np.nan
        elif kind == "long":
            pixels = pixels.astype(np.int32)
        elif kind == "signed":
            pixels = pixels.astype(np.int16)
        path = toycam.write(f"odd_{number:04}.fits", "FLAT", datetime(2026, 1, 16, 5, number), pixels=pixels, **cards)
        if kind == "scaled":
            rescaled(path)
    _, values = proposed()
    assert values["camera.quadrants.gain"].value == pytest.approx(GAIN, rel=0.03)


def rescaled(path):
    """Write an image anew as 16 bits with BSCALE."""
    with fits.open(path) as units:
        units[0].scale("int16", bscale=0.5, bzero=16000)
        units.writeto(path, overwrite=True)


def test_the_saturation_of_whole_numbers_of_32_bits_is_asked(toycam, proposed):
    for number in range(2):
        pixels = np.full(SHAPE, PEDESTAL + number, np.int32)
        toycam.write(f"a{number:03}.fits", "LIGHT", datetime(2026, 1, 16, 1, number), pixels=pixels)
    _, values = proposed()
    assert values["camera.quadrants.saturation"].certainty is Certainty.ASKED


def test_each_detector_has_its_own_gain_and_no_pair_mixes_them(toycam, proposed):
    for number in range(8):
        kind, light = ("BIAS", 0.0) if number < 4 else ("FLAT", 9000.0)
        for detector, gain in ((1, 1.6), (2, 3.2)):
            moment = datetime(2026, 1, 16, 1, number)
            pixels = toycam.pixels(light, gain=gain)
            toycam.write(f"img_{number:04}_c{detector}.fits", kind, moment, pixels=pixels)
    _, values = proposed()
    assert values["camera.quadrants.gain"].value == pytest.approx(1.6, rel=0.03)
    assert values["camera.amplifiers.detector"].value == 2
    assert values["camera.amplifiers.gain"].value == pytest.approx(3.2, rel=0.03)
    assert values["calibration.kinds"].says == "Frames at hand: 4 bias on 2026-01-15; 4 flat in r on 2026-01-15."


@pytest.mark.parametrize("name", ["across RA zero", "Dark Nebula B33", "offset field", "NGC 4565"])
def test_an_object_with_such_a_name_stays_an_object(toycam, proposed, name):
    for number in range(2):
        toycam.write(
            f"sky_{number:04}.fits", "OBJECT", datetime(2026, 1, 16, 5, number), 300, OBJECT=name, FILTER="r"
        )
    proposal, _ = proposed()
    assert Counter(kind.value for kind in proposal.found.types.kinds) == {"science": 2}


def test_packed_and_unpacked_files_of_one_camera_go_together(toycam, proposed, tmp_path, monkeypatch):
    toycam.night()
    for path in sorted(toycam.folder.glob("*.fits"))[::2]:
        with fits.open(path) as units:
            packed = fits.CompImageHDU(units[0].data, units[0].header)
            fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path.with_suffix(".fits.fz"))
        path.unlink()
    proposal, _ = proposed()
    assert all(proposal.found.full_frame)
    with pytest.raises(SettingsError):
        loaded(proposal, tmp_path, monkeypatch)
    answered(tmp_path, monkeypatch, pixel_scale_arcsec=1.0)
    findings = list(find_out(files_below([toycam.folder]), load_deployment("toy")))
    assert Counter(f.frame.image_type if f.frame else f.detail for f in findings) == {
        "bias": 4,
        "flat": 4,
        "science": 4,
    }
