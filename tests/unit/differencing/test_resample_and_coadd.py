"""Resampling, convolution, the kernel's basis, and combining."""

from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SHAPE, draw, grid, moffat
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from reduction.difference.kernel import fit_kernel, kernel_basis
from reduction.image import resample as resampling
from reduction.image.coadd import combine
from reduction.image.convolve import bad_share, convolve, convolve_stamp, fill_bad, in_every_block
from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit
from reduction.image.resample import resample


def noise(shape=(96, 80), seed=1, wcs=None) -> Frame:
    random = np.random.default_rng(seed)
    image = random.normal(0, 3, shape).astype(np.float32)
    return Frame(image, np.zeros(shape, np.uint16), np.full(shape, 9, np.float32), wcs or grid())


@settings(max_examples=10)
@given(st.integers(-9, 9), st.integers(-9, 9))
def test_a_shift_by_whole_pixels_keeps_every_value(dx, dy):
    frame = noise()
    moved = resample(frame, grid((dx, dy)), frame.shape)
    good = moved.mask == 0
    expected = ndimage.shift(frame.image, (dy, dx), order=0, cval=np.nan)
    assert good.sum() >= (96 - abs(dy) - 6) * (80 - abs(dx) - 6)
    np.testing.assert_allclose(moved.image[good], expected[good], atol=2e-2)


def test_a_star_keeps_its_flux_and_width_between_grids():
    psf = moffat(2.5)
    ra, dec = grid().all_pix2world([128.3], [127.6], 0)
    frame = draw(grid(), psf, ra, dec, [1e6], sky=0.0, seed=1)
    moved = resample(frame, grid((0.4, 0.7), 0.2), frame.shape)
    star = np.s_[110:146, 110:146]
    assert moved.image[star].sum() == pytest.approx(frame.image[star].sum(), rel=2e-3)
    assert (moved.image[star] ** 2).sum() == pytest.approx((frame.image[star] ** 2).sum(), rel=0.02)


def test_the_variance_is_that_of_sums():
    frame = noise((400, 400))
    moved = resample(frame, grid((0.5, 0.5)), frame.shape)
    inner = moved.image[8:392, 8:392]
    sums = inner.reshape(48, 8, 48, 8).sum(axis=(1, 3))
    assert np.std(inner) < 2.9  # single pixels scatter less
    assert np.var(sums) / 64 == pytest.approx(np.median(moved.variance), rel=0.1)


def test_a_bad_pixel_spoils_its_neighbours_only():
    frame = noise()
    frame.image[40, 40] = np.nan
    frame.mask[60, 20] = MaskBit.SATURATED
    moved = resample(frame, grid((0.5, 0.5)), frame.shape)
    assert np.isfinite(moved.image).all()
    inner = (moved.mask & FATAL)[5:-5, 5:-5] != 0
    assert 0 < inner.sum() <= 32
    assert (moved.mask[58:63, 18:23] & MaskBit.SATURATED).any()


@pytest.mark.parametrize("place", [2.0, 2.0 + 1e-9, 77.0 - 1e-9])
def test_a_run_that_rounding_may_take_out_of_the_image_is_not_read_unchecked(place):
    counts = np.zeros((97, 81), np.int32)  # of 96 rows and 80 columns without a bad pixel
    assert resampling._is_clean(counts, 40.0, 40.0, 60.0, 60.0)
    assert not resampling._is_clean(counts, 40.0, 40.0, place, 40.0)
    assert not resampling._is_clean(counts, place, 40.0, 40.0, 40.0)
    assert not resampling._is_clean(counts.T, 40.0, 40.0, 40.0, place)


def test_nothing_is_left_where_the_images_do_not_overlap():
    frame = noise()
    moved = resample(frame, grid((500, 0)), frame.shape)
    assert (moved.mask & MaskBit.NAN).all()
    assert not moved.image.any()


@pytest.mark.parametrize("size", [(3, 3), (7, 5), (15, 15)])
def test_convolution_equals_the_sum_that_defines_it(size):
    random = np.random.default_rng(2)
    image, kernel = random.normal(size=(50, 61)).astype(np.float32), random.normal(size=size)
    expected = ndimage.convolve(image.astype(float), kernel, mode="constant")
    np.testing.assert_allclose(convolve(image, kernel), expected, atol=1e-4)


@pytest.mark.parametrize("size", [(3, 3), (5, 9)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.4, 0.6, 1.0])
def test_a_bad_share_is_the_weight_that_falls_on_bad_pixels_or_beyond_the_edge(share, size):
    random = np.random.default_rng(3)
    bad = random.random((100, 61)) < share
    bad[:, :30] = False  # blocks without a bad pixel, and blocks of nothing else
    bad[50:, 30:] |= share > 0.5
    kernel = random.random(size)
    kernel /= kernel.sum()
    expected = ndimage.convolve(bad.astype(float), kernel, mode="constant", cval=1.0)
    np.testing.assert_allclose(bad_share(bad, in_every_block(kernel, bad.shape)), expected, atol=1e-5)


@pytest.mark.parametrize(("side", "size"), [(19, 15), (21, 13), (8, 5), (9, 15)])
def test_a_stamp_is_convolved_as_scipy_does(side, size):
    random = np.random.default_rng(4)
    stamp, kernel = random.normal(size=(side, side)), random.normal(size=(size, size))
    expected = signal.fftconvolve(stamp, kernel, mode="same")
    np.testing.assert_allclose(convolve_stamp(stamp, kernel), expected, atol=1e-12)


def test_filling_leaves_good_pixels_alone():
    frame = noise()
    bad = np.zeros(frame.shape, bool)
    bad[10:13, 10:13] = True
    image = np.where(bad, np.float32(np.nan), frame.image)
    filled = fill_bad(image, bad)
    assert np.isfinite(filled).all()
    assert (filled[~bad] == frame.image[~bad]).all()


@pytest.mark.parametrize(("radius", "core"), [(3, 3), (7, 3), (7, 7), (8, 4), (1, 1)])
def test_every_pixel_of_the_kernel_belongs_to_one_element(radius, core):
    element, penalty, ridge = kernel_basis(radius, core)
    used = element[element >= 0]
    counts = np.bincount(used)
    assert counts.min() >= 1 and counts.max() <= 4
    assert len(penalty) == len(ridge) == len(counts)
    inner = element[radius - core : radius + core + 1, radius - core : radius + core + 1]
    assert (counts[inner[inner >= 0]] == 1).all()
    assert np.linalg.eigvalsh(penalty).min() > -1e-9


def test_a_known_kernel_is_recovered():
    random = np.random.default_rng(4)
    psf = moffat(2.2)
    x, y = random.uniform(20, 236, (2, 40))
    ra, dec = grid().all_pix2world(x, y, 0)
    sharp = draw(grid(), psf, ra, dec, random.uniform(2e4, 1e5, 40), sky=10.0, seed=5)
    axis = np.arange(-7, 8)
    true = 0.8 * np.exp(-0.5 * (axis[:, None] ** 2 + (axis[None] - 0.4) ** 2) / 1.1**2) / (2 * np.pi * 1.1**2)
    broad = convolve(sharp.image, true) + np.float32(7.0)
    # The target has the source's own noise, convolved: none is to be taken out.
    alike, bad = np.zeros_like(sharp.variance), np.zeros(broad.shape, bool)
    fitted = fit_kernel(broad, sharp.image, sharp.variance, alike, bad, x, y, radius=7, order=0)
    assert fitted is not None
    assert fitted.flux_ratio(100.0, 100.0) == pytest.approx(0.8, abs=0.004)
    assert fitted.background[0] == pytest.approx(7.0, abs=0.3)
    np.testing.assert_allclose(fitted.at(128.0, 128.0), true, atol=0.01)


def matched(x, y, flux, target_flux, *, sky=300.0, order=2, seed=8, left=0.0):
    """Fit the kernel from a sharp, noisy image of stars to a blurred, deep one with so much sky left in a pixel."""
    ra, dec = grid().all_pix2world(x, y, 0)
    sharp = draw(grid(), moffat(2.4), ra, dec, flux, sky=sky, seed=seed)
    blurred = draw(grid(), moffat(3.0), ra, dec, target_flux, sky=sky / 10, seed=seed + 1)
    fitted = fit_kernel(
        blurred.image + np.float32(left), sharp.image, sharp.variance + blurred.variance, sharp.variance,
        np.zeros(SHAPE, bool), x, y, radius=7, half_stamp=11, order=order,
    )  # fmt: skip
    assert fitted is not None
    return fitted


def test_noise_of_the_image_that_is_convolved_does_not_make_the_kernel_smaller():
    random = np.random.default_rng(6)
    sums = []
    for seed in range(4):
        x, y = random.uniform(20, 236, (2, 80))
        flux = random.uniform(1000, 3000, 80)
        sums.append(float(matched(x, y, flux, 0.8 * flux, order=0, seed=20 + 2 * seed).flux_ratio(128.0, 128.0)))
    assert np.mean(sums) == pytest.approx(0.8, rel=0.02)


def test_resampling_the_image_that_is_convolved_hardly_changes_the_kernels_sum():
    random, change = np.random.default_rng(44), []
    for seed in range(6):
        x, y = random.uniform(25, 231, (2, 80))
        flux = random.uniform(1000, 3000, 80)
        ra, dec = grid().all_pix2world(x, y, 0)
        blurred = draw(grid(), moffat(3.0), ra, dec, 0.8 * flux, sky=30.0, seed=60 + seed)
        sums = []
        for wcs in (grid(), grid((3.3, -2.6), 0.001)):
            drawn = draw(wcs, moffat(2.4), ra, dec, flux, sky=300.0, seed=80 + seed)
            sharp = resample(drawn, grid(), SHAPE)
            bad = sharp.mask != 0
            fitted = fit_kernel(
                blurred.image, fill_bad(sharp.image, bad), sharp.variance + blurred.variance, sharp.variance,
                bad, x, y, radius=7, half_stamp=11, order=0,
            )  # fmt: skip
            assert fitted is not None
            sums.append(float(fitted.flux_ratio(128.0, 128.0)))
        change.append(sums[1] / sums[0] - 1)
    assert abs(np.mean(change)) < 0.015


def test_the_noise_of_a_resampled_image_does_not_become_noise_of_the_kernel():
    random = np.random.default_rng(12)
    x, y = random.uniform(20, 236, (2, 70))
    flux = 10 ** random.uniform(3.3, 4.5, 70)
    ra, dec = grid().all_pix2world(x, y, 0)
    source = draw(grid((0.4, 0.3)), moffat(2.4), ra, dec, flux, sky=300, seed=40)
    for shift in ((0.2, -0.3), (0.0, 0.0)):
        source = resample(source, grid(shift), SHAPE)
    target = draw(grid(), moffat(2.4), ra, dec, flux, sky=300, seed=41)
    fitted = fit_kernel(
        target.image, source.image, source.variance + target.variance, source.variance,
        source.mask != 0, x, y, radius=7, half_stamp=11, order=3,
    )  # fmt: skip
    assert fitted is not None
    places = np.linspace(30, 226, 4)
    assert max((fitted.at(u, v) ** 2).sum() for u in places for v in places) < 1.3  # that of no change is 1


def test_a_star_that_varies_does_not_turn_the_flux_ratio_about_it():
    random = np.random.default_rng(17)
    x, y = random.uniform(20, 236, (2, 100))
    flux = random.uniform(8000, 30_000, 100)
    far = np.argmax(np.hypot(x - 128, y - 128))
    flux[far] = 60_000
    changed = 0.8 * flux
    changed[far] *= 1.5
    fitted = matched(x, y, flux, changed, order=4)
    assert not fitted.stars[far]
    assert fitted.flux_ratio(x[far], y[far]) == pytest.approx(0.8, rel=0.04)


def test_the_flux_ratio_does_not_run_away_where_there_are_no_stars():
    random = np.random.default_rng(9)
    x, y = random.uniform(20, 140, 110), random.uniform(20, 236, 110)
    flux = random.uniform(4000, 12_000, 110)
    fitted = matched(x, y, flux, 0.8 * flux, order=3)
    assert fitted.flux_ratio(np.full(3, 245.0), np.array([10.0, 128.0, 245.0])) == pytest.approx(0.8, rel=0.08)


def test_a_flux_ratio_that_does_vary_is_followed_where_there_are_stars():
    random = np.random.default_rng(10)
    x, y = random.uniform(15, 240, (2, 110))
    flux = random.uniform(20_000, 100_000, 110)
    slope = 1 + 0.05 * (2 * x / 255 - 1)
    fitted = matched(x, y, flux, 0.8 * slope * flux, order=2)
    left, right = fitted.flux_ratio(np.array([30.0, 225.0]), np.full(2, 128.0))
    assert right / left == pytest.approx(1.079, abs=0.015)


def test_sky_that_is_left_in_the_target_does_not_turn_a_small_flux_ratio():
    random = np.random.default_rng(32)
    x, y = random.uniform(20, 236, (2, 60))
    flux = random.uniform(4000, 12_000, 60)
    none, more, less = (matched(x, y, flux, 0.03 * flux, left=left) for left in (0.0, 1.0, -1.0))
    corners = np.array([20.0, 128.0, 236.0])
    assert none.flux_ratio(128.0, 128.0) == pytest.approx(0.03, rel=0.03)
    for other, left in ((more, 1.0), (less, -1.0)):
        np.testing.assert_allclose(other.flux_ratio(corners, corners), none.flux_ratio(corners, corners), rtol=1e-3)
        assert other.background[0] - none.background[0] == pytest.approx(left, abs=0.01)


def test_the_order_is_what_the_stars_allow_that_do_not_vary():
    random = np.random.default_rng(23)
    x, y = random.uniform(20, 236, (2, 95))
    flux = random.uniform(8000, 30_000, 95)
    changed = 0.8 * flux
    changed[:20] *= random.choice([0.6, 1.6], 20)
    fitted = matched(x, y, flux, changed, order=4)
    assert not fitted.stars[:20].any()
    assert fitted.order == 3


def members(number=5) -> list[Frame]:
    return [noise(seed=k, wcs=grid((0.3 * k, -0.2 * k))) for k in range(number)]


def test_a_hit_on_one_member_is_not_in_the_combined_image():
    frames = members()
    frames[2].image[50, 50] += 5000
    coadd = combine(frames, [1.0] * 5, [2.0] * 5)
    assert np.abs(coadd.frame.image[5:-5, 5:-5]).max() < 12
    assert coadd.clipped > 0


def test_the_combined_image_is_at_the_first_members_scale_with_less_noise():
    frames = [replace(f, image=f.image + np.float32(100 / (k + 1))) for k, f in enumerate(members(4))]
    coadd = combine(frames, [1.0, 2.0, 3.0, 4.0], [2.0] * 4)
    inner = np.s_[8:-8, 8:-8]
    assert np.median(coadd.frame.image[inner]) == pytest.approx(100, abs=1)
    assert coadd.weights[0] == coadd.weights.max()
    assert coadd.weights.sum() == pytest.approx(1)
    assert (coadd.coverage[inner] == 4).all()
    assert (coadd.frame.variance[inner] < 9).all()


def test_a_member_that_covers_a_part_counts_there_only():
    frames = members(3)
    frames[1].mask[:, :40] = MaskBit.DEAD
    coadd = combine(frames, [1.0] * 3, [2.0] * 3)
    assert (coadd.coverage[10:-10, 5:30] == 2).all()
    assert (coadd.coverage[10:-10, 50:70] == 3).all()
    assert coadd.frame.variance[40, 20] > coadd.frame.variance[40, 60]


def test_a_pixel_without_any_value_is_marked():
    frames = members(3)
    for frame in frames:
        frame.image[20:30, 20:30] = np.nan
    coadd = combine(frames, [1.0] * 3, [2.0] * 3)
    assert np.isfinite(coadd.frame.image).all()
    assert coadd.frame.mask[25, 25] & MaskBit.NAN
    assert coadd.coverage[25, 25] == 0
