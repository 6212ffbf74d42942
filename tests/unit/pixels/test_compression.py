"""Compressed products: what is lost is far below the noise, and everything else comes back as it was."""

import io
import os
import shutil
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from star_fields import star_field

from reduction.detector.masters import read_master
from reduction.image import frame as reading
from reduction.image.compression import NO_COMPRESSION, Compression, noise_of
from reduction.image.frame import Frame, read_frame, write_frame
from reduction.image.mask import MaskBit
from reduction.measure.photometry import fit_sources
from reduction.measure.psf import build_psf
from reduction.problems import Unusable

ALL = Compression(masks=True, steps_per_noise=16.0)
SKY = 200.0


def sky_subtracted(shape=(160, 160), **told) -> tuple[Frame, np.ndarray, np.ndarray]:
    field = star_field(shape, sky=SKY, **told)
    frame = field.frame
    mask = frame.mask.copy()
    mask[3, 5], mask[40:44, 100] = MaskBit.DEAD, MaskBit.SPIKE | MaskBit.SATURATED
    image = field.image - np.float32(SKY)
    image[3, 5] = 0
    return Frame(image, mask, frame.variance, frame.wcs, {"MAGZP": 25.0, "FWHM": 2.4}), field.x, field.y


def written(path, frame, compression) -> Frame:
    with path.open("w+b") as stream:
        write_frame(stream, frame, [fits.ImageHDU(np.ones((3, 4), np.float32), name="COVERAGE")], compression)
    return read_frame(path)


def test_masks_and_pixels_of_nought_come_back_as_they_were_and_the_rest_within_half_a_step(tmp_path):
    frame, _, _ = sky_subtracted()
    back = written(tmp_path / "a.fits", frame, ALL)
    np.testing.assert_array_equal(back.mask, frame.mask)
    assert back.image[3, 5] == 0
    noise = noise_of(frame.variance)
    error = back.image.astype(float) - frame.image
    assert np.abs(error).max() <= 0.5001 * noise / 16
    assert error.std() == pytest.approx(noise / 16 / np.sqrt(12), rel=0.03)
    assert abs(error.mean()) < 5 * error.std() / 160
    assert np.abs(back.variance / frame.variance - 1).max() < 0.02
    assert back.header == frame.header
    np.testing.assert_allclose(back.wcs.all_pix2world(10, 90, 0), frame.wcs.all_pix2world(10, 90, 0), rtol=1e-12)


def test_masks_alone_lose_nothing_at_all(tmp_path):
    frame, _, _ = sky_subtracted()
    back = written(tmp_path / "a.fits", frame, Compression(masks=True))
    for name in ("image", "mask", "variance"):
        np.testing.assert_array_equal(getattr(back, name), getattr(frame, name))


def test_a_compressed_frame_is_a_fifth_as_large(tmp_path):
    frame, _, _ = sky_subtracted((512, 512), stars=100)
    sizes = []
    for compression in (NO_COMPRESSION, ALL):
        written(tmp_path / "a.fits", frame, compression)
        sizes.append((tmp_path / "a.fits").stat().st_size)
    assert sizes[1] < 0.2 * sizes[0]


def test_fluxes_of_stars_stay_where_they_were(tmp_path):
    frame, x, y = sky_subtracted((256, 256), stars=150)
    back = written(tmp_path / "a.fits", frame, ALL)
    bad = np.zeros(frame.shape, bool)
    psf = build_psf(frame.image, frame.variance, bad, x[:60], y[:60], fwhm=2.4)
    sky = np.full(frame.shape, SKY, np.float32)
    before, after = (fit_sources(f.image, sky, f.mask, x, y, psf, aperture_radius_px=4.0) for f in (frame, back))
    moved = (after.flux - before.flux) / before.flux_err
    assert np.abs(np.median(after.flux / before.flux) - 1) < 1e-4
    assert np.abs(moved).max() < 0.1  # of the error that a flux has anyhow
    assert np.abs(moved.mean()) < 0.01


@pytest.mark.parametrize("spoil", [
    lambda image, variance: None,
    lambda image, variance: image.__setitem__(slice(0, 64), 7.0),  # tiles of one value
    lambda image, variance: image.__setitem__((8, 9), np.nan),
    lambda image, variance: image.__setitem__((8, 9), np.inf),
    lambda image, variance: image.__setitem__((8, 9), 3e38),
    lambda image, variance: variance.__setitem__((8, 9), np.inf),
    lambda image, variance: variance.__setitem__((8, 9), 1e-3),
    lambda image, variance: variance.fill(0.0),
    lambda image, variance: variance.fill(np.nan),
], ids=["plain", "constant", "nan", "infinite", "enormous", "infinite variance", "tiny variance", "no variance",
        "unknown variance"])  # fmt: skip
def test_whatever_the_pixels_are_the_same_frame_gives_the_same_bytes_and_reads_back(tmp_path, monkeypatch, spoil):
    frame, _, _ = sky_subtracted()
    spoil(frame.image, frame.variance)
    back = written(tmp_path / "a.fits", frame, ALL)
    later = time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later)  # gzip writes the time where something is left to it
    written(tmp_path / "b.fits", frame, ALL)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()
    noise = noise_of(frame.variance)
    np.testing.assert_allclose(back.image, frame.image, rtol=0, atol=noise / 16 if noise else 0)
    np.testing.assert_array_equal(back.variance > 0, frame.variance > 0)


def test_a_frame_without_a_variance_keeps_its_image_as_it_is(tmp_path):
    frame = replace(sky_subtracted()[0], variance=None)
    np.testing.assert_array_equal(written(tmp_path / "a.fits", frame, ALL).image, frame.image)


@pytest.mark.skipif(not shutil.which("fitsverify"), reason="Debian's fitsverify is not installed")
def test_fitsverify_has_nothing_to_say_of_a_compressed_frame(tmp_path):
    written(tmp_path / "a.fits", sky_subtracted()[0], ALL)
    said = subprocess.run(["fitsverify", "-q", tmp_path / "a.fits"], capture_output=True, text=True)
    assert said.stdout.startswith("verification OK"), said.stdout
    with fits.open(io.BytesIO((tmp_path / "a.fits").read_bytes()), checksum=True) as units:
        units.verify("exception")
        assert [unit.name for unit in units] == ["PRIMARY", "SCI", "MASK", "VAR", "COVERAGE"]


def spoilt(data: bytes, how: str, random: np.random.Generator) -> bytes:
    if how == "cut":
        return data[: random.integers(len(data))]
    spoilt = bytearray(data)
    if how == "bytes":
        for place in random.integers(len(data), size=20):
            spoilt[place] = random.integers(256)
    else:  # a card
        start = 80 * int(random.integers(len(data) // 80))
        spoilt[start : start + 80] = random.integers(32, 127, 80, dtype=np.uint8).tobytes()
    return bytes(spoilt)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["cut", "bytes", "card"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_spoilt_anywhere_reads_or_is_called_unreadable(tmp_path, how, compressed):
    random = np.random.default_rng(3)
    image = random.normal(0, 3, (40, 40)).astype(np.float32)
    frame = Frame(image, (random.random(image.shape) < 0.1).astype(np.uint16), np.full_like(image, 9))
    with (tmp_path / "a.fits").open("w+b") as stream:
        write_frame(stream, frame, compression=Compression(compressed, 4.0 if compressed else None))
    data, causes = (tmp_path / "a.fits").read_bytes(), []
    for _ in range(30):
        (tmp_path / "b.fits").write_bytes(spoilt(data, how, random))
        try:
            read_frame(tmp_path / "b.fits")
        except Unusable as error:
            causes.append(error.cause)
    assert set(causes) == {"unreadable_file"}


def test_a_defect_of_the_program_is_not_called_an_unreadable_file(tmp_path, monkeypatch):
    with (tmp_path / "a.fits").open("w+b") as stream:
        write_frame(stream, Frame(np.ones((9, 9), np.float32), np.zeros((9, 9), np.uint16)))
    monkeypatch.setattr(reading, "_STRUCTURE", None)
    with pytest.raises(AttributeError):
        read_frame(tmp_path / "a.fits")


def test_planes_of_different_shapes_are_no_frame(tmp_path):
    units = [fits.PrimaryHDU()]
    units += [fits.ImageHDU(np.ones((9, 9), kind), name=name) for name, kind in (("SCI", "f4"), ("MASK", "i2"))]
    fits.HDUList([*units, fits.ImageHDU(np.ones((9, 8), "f4"), name="VAR")]).writeto(tmp_path / "a.fits")
    with pytest.raises(Unusable, match="different shapes"):
        read_frame(tmp_path / "a.fits")


def test_a_master_whose_sum_overflows_has_all_its_values(tmp_path):
    image = np.full((40, 40), 3e38, np.float32)
    with (tmp_path / "a.fits").open("w+b") as stream:
        write_frame(stream, Frame(image, np.zeros(image.shape, np.uint16)))
    assert (read_master(tmp_path / "a.fits", "bias").image == image).all()


@pytest.mark.parametrize("compression", [ALL, NO_COMPRESSION], ids=["compressed", "as it is"])
def test_fitsverify_finds_no_error_and_every_part_has_its_checksums(tmp_path, compression):
    if shutil.which("fitsverify") is None:
        lack = "fitsverify is not installed (Debian: apt install fitsverify)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lack)
    frame, _, _ = sky_subtracted()
    path = tmp_path / "a.fits"
    written(path, frame, compression)
    done = subprocess.run(["fitsverify", path], capture_output=True, text=True)
    assert "Verification found 0 warning(s) and 0 error(s)" in done.stdout, done.stdout
    with fits.open(path, disable_image_compression=True) as units:
        assert all({"CHECKSUM", "DATASUM"} <= {*unit.header} for unit in units)
