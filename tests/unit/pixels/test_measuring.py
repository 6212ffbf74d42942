"""From electrons to a measured frame, and what happens when there is little to measure."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from star_fields import ZERO_POINT, add_star, star_field

from reduction.image.frame import Frame
from reduction.image.mask import MaskBit
from reduction.measure import sources
from reduction.measure.astrometry import fit_tan_sip, refine_wcs, tangent_wcs
from reduction.measure.catalogue import Catalogue, read_catalogue
from reduction.measure.double_images import common_separation
from reduction.measure.photometry import fit_sources
from reduction.measure.psf import PsfModel
from reduction.measure.quality import Bounds, judge
from reduction.measure.sources import Background, SourceFlag, find_sources, measure_background
from reduction.measure.zero_point import ZeroPoint, fit_zero_point, level
from reduction.problems import Unusable
from reduction.recipes import DOUBLED_SHARE, MEASURE, Measured, MeasureSettings, solve_astrometry, source_table


def measure(frame: Frame, **settings) -> Measured:
    measured, told = Measured(frame), MeasureSettings(**settings)
    for step in MEASURE:
        measured = step(measured, told)
    return measured


@pytest.fixture(scope="module")
def field():
    return star_field((192, 192), stars=60, seed=2)


@pytest.fixture(scope="module")
def measured(field):
    return measure(field.frame, catalogue=field.catalogue)


def test_fluxes_places_zero_point_and_width_come_out_as_drawn(field, measured):
    table = source_table(measured)
    distance = np.hypot(field.x[:, None] - table["x"][None], field.y[:, None] - table["y"][None])
    nearest = distance.argmin(axis=1)
    bright = field.flux > 2e4
    assert np.median(distance.min(axis=1)[bright]) < 0.02
    ratio = np.asarray(table["flux"])[nearest][bright] / field.flux[bright]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert np.std(ratio) < 0.03
    assert measured.zero_point.value == pytest.approx(ZERO_POINT, abs=0.02)
    assert measured.psf.fwhm() == pytest.approx(np.hypot(2.4, 2.3548 / np.sqrt(12)), rel=0.08)
    assert table["star"][nearest][bright].mean() > 0.9


def test_a_slope_that_the_flat_left_is_taken_out_of_the_fluxes():
    field = star_field((420, 420), stars=150, seed=9)
    along = (field.y - 210) / 210
    shaded = replace(field.frame, image=field.image * np.linspace(0.96, 1.04, 420, dtype=np.float32)[:, None])
    measured = measure(shaded, catalogue=field.catalogue)
    table = source_table(measured)
    distance = np.hypot(field.x[:, None] - table["x"][None], field.y[:, None] - table["y"][None])
    bright = field.flux > 2e4
    flux = np.asarray(table["flux"])[distance.argmin(axis=1)][bright]
    assert abs(np.polyfit(along[bright], flux / field.flux[bright], 1)[0]) < 0.01
    header = measured.frame.header
    assert header["MAGZP_2"] == pytest.approx(2.5 * np.log10(1.04), abs=0.01)
    np.testing.assert_allclose(table["mag"], header["MAGZP"] - 2.5 * np.log10(table["flux"]), atol=1e-6)


def test_a_flux_has_the_error_that_all_its_photons_allow():
    shape, flux, sky = (41, 41), 1e5, 200.0
    psf = PsfModel(3.0, np.array([[np.log(2.6)], [0.05], [0.0]]), np.zeros((9, 9)), shape, 10)
    stamp = psf.evaluate(20, 20)
    image = np.zeros(shape)
    image[10:31, 10:31] = flux * stamp
    limit = 1 / np.sqrt((stamp**2 / (sky + flux * stamp)).sum())
    nothing = np.zeros(shape, np.uint16)
    noise2 = np.full(shape, sky, np.float32)
    fitted = fit_sources(
        image.astype(np.float32), noise2, nothing, [20.2], [19.9], psf, aperture_radius_px=4.0
    )  # fmt: skip
    assert fitted.flux[0] == pytest.approx(flux, rel=1e-3)
    assert fitted.flux_err[0] == pytest.approx(limit, rel=0.015)


def test_a_header_that_is_wrong_by_30_arcseconds_is_put_right(field):
    frame = field.frame
    wrong = frame.wcs.deepcopy()
    wrong.wcs.crpix = wrong.wcs.crpix + np.array([24.0, -18.0])
    wrong.wcs.set()
    measured = measure(replace(frame, wcs=wrong), catalogue=field.catalogue)
    assert measured.metrics["pointing_offset_arcsec"] == pytest.approx(30, abs=0.3)
    found = measured.frame.wcs.all_world2pix(*field.wcs.all_pix2world(field.x, field.y, 0), 0)
    assert np.abs(found - np.array([field.x, field.y])).max() < 0.3


def test_a_frame_of_another_part_of_the_sky_is_a_named_failure(field):
    away = Catalogue(field.catalogue.ra + 30, field.catalogue.dec, field.catalogue.magnitude)
    with pytest.raises(Unusable) as failure:
        measure(field.frame, catalogue=away)
    assert failure.value.cause in ("too_few_stars", "astrometry_failed")


def test_a_catalogue_of_other_stars_does_not_match(field):
    other = star_field((192, 192), stars=60, seed=99).catalogue
    with pytest.raises(Unusable) as failure:
        measure(field.frame, catalogue=other, pointing_error_arcsec=20.0)
    assert failure.value.cause == "astrometry_failed"


def test_without_a_wcs_the_pointing_serves_and_without_both_it_is_a_named_failure(field):
    frame = replace(field.frame, wcs=None)
    pointing = tangent_wcs(150.0, 22.0, frame.shape, scale_arcsec=1.0, offset_arcsec=(7.0, -4.0))
    measured = measure(frame, catalogue=field.catalogue, first_guess=pointing)
    assert measured.metrics["pointing_offset_arcsec"] == pytest.approx(np.hypot(7, 4), abs=0.1)
    with pytest.raises(Unusable) as failure:
        measure(frame, catalogue=field.catalogue)
    assert failure.value.cause == "astrometry_failed"


def test_a_header_of_absurd_scale_or_place_gives_way_to_the_pointing(field):
    pointing = tangent_wcs(150.0, 22.0, field.image.shape, scale_arcsec=1.0)
    for absurd in (
        tangent_wcs(150.0, 22.0, field.image.shape, scale_arcsec=3600.0),
        tangent_wcs(10.0, -40.0, field.image.shape, scale_arcsec=1.0),
    ):
        frame = replace(field.frame, wcs=absurd)
        measured = measure(frame, catalogue=field.catalogue, first_guess=pointing)
        assert measured.metrics["pointing_offset_arcsec"] < 0.1


def test_a_frame_that_is_its_own_catalogue_gets_the_nominal_zero_point(field):
    measured = measure(field.frame)
    assert measured.own_catalogue
    assert measured.zero_point.value == 25.0
    assert "stars_matched" not in measured.metrics


def test_an_empty_sky_is_too_few_stars():
    with pytest.raises(Unusable) as failure:
        measure(star_field((96, 96), stars=0).frame)
    assert failure.value.cause == "too_few_stars"


def test_one_star_alone_is_measured_and_cannot_be_matched():
    field = star_field((96, 96), stars=1, seed=8)
    measured = Measured(field.frame)
    for step in MEASURE[: MEASURE.index(solve_astrometry)]:
        measured = step(measured, MeasureSettings())
    assert measured.photometry.flux[0] == pytest.approx(field.flux[0], rel=0.1)
    for catalogue, said in ((field.catalogue, "1 catalogue entries"), (None, "its field's catalogue needs 3")):
        with pytest.raises(Unusable, match=said) as failure:
            measure(field.frame, catalogue=catalogue)
        assert failure.value.cause == "too_few_stars"


@pytest.mark.parametrize("step", [(5, 0), (-4, 7), (0, -12), (13, 14)], ids=str)
def test_a_frame_that_shows_each_star_twice_is_refused_and_says_so(field, step):
    twice = (field.image + np.roll(field.image, step, axis=(0, 1))) / 2
    with pytest.raises(Unusable, match=rf"pairs, {np.hypot(*step):.0f} pixels .*the telescope moved") as failure:
        measure(replace(field.frame, image=twice), catalogue=field.catalogue)
    assert failure.value.cause == "elongated"


@pytest.mark.parametrize("step", [(0, 5), (0, -12.4), (7.5, 0), (-6, 0), (4, -7)], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_counted_whatever_noise_makes_of_a_steps_sign(step, seed):
    random = np.random.default_rng(seed)
    first = random.uniform(0, 192, (2, 30))
    alone = random.uniform(0, 192, (2, 15))  # 20%
    places = np.hstack([first, first + np.array(step)[:, None], alone])
    x, y = random.permutation(places + random.normal(0, 0.1, places.shape), axis=1)
    separation, share = common_separation(x, y)
    assert separation == pytest.approx(np.hypot(*step), abs=0.8)
    assert share == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize(("stars", "side_px"), [(240, 60), (100, 60), (300, 200), (30, 30), (10, 20), (300, 1000)])
@pytest.mark.parametrize("seed", range(5))
def test_a_cluster_of_stars_is_no_sky_that_is_doubled(stars, side_px, seed):
    x, y = np.random.default_rng(seed).uniform(0, side_px, (2, stars))
    assert common_separation(x, y)[1] < DOUBLED_SHARE - 0.1


def test_a_cluster_that_is_doubled_is_told_from_one_that_is_not():
    x, y = np.random.default_rng(1).uniform(0, 60, (2, 120))
    assert common_separation(x, y)[1] < DOUBLED_SHARE - 0.1
    separation, share = common_separation(np.append(x, x + 6), np.append(y, y))
    assert separation == pytest.approx(6, abs=1)
    assert share > DOUBLED_SHARE


def test_one_source_or_none_is_no_pair():
    assert common_separation(np.ones(1), np.ones(1)) == common_separation(np.empty(0), np.empty(0)) == (0.0, 0.0)


def test_a_frame_that_is_nothing_but_saturated_is_a_named_failure():
    shape = (64, 64)
    mask = np.full(shape, MaskBit.SATURATED, np.uint16)
    image = np.full(shape, 60000.0, np.float32)
    with pytest.raises(Unusable) as failure:
        measure(Frame(image, mask, image.copy(), header={"RDNOISE": 5.0}))
    assert failure.value.cause == "saturated"


def test_a_frame_without_a_usable_pixel_is_a_named_failure():
    shape = (64, 64)
    image = np.zeros(shape, np.float32)
    with pytest.raises(Unusable):
        measure(Frame(image, np.full(shape, MaskBit.DEAD, np.uint16), image + 1))


def test_a_saturated_star_is_flagged_and_no_star_to_measure_by(field):
    frame = field.frame
    brightest = int(field.flux.argmax())
    row, column = round(field.y[brightest]), round(field.x[brightest])
    mask = frame.mask.copy()
    mask[row, column] |= np.uint16(MaskBit.SATURATED)
    table = source_table(measure(replace(frame, mask=mask), catalogue=field.catalogue))
    nearest = int(np.hypot(table["x"] - column, table["y"] - row).argmin())
    assert table["flags"][nearest] & SourceFlag.SATURATED
    assert not table["star"][nearest]


def test_a_galaxy_is_no_star():
    field = star_field((192, 192), stars=40, seed=12)
    image = field.image.astype(float)
    add_star(image, 96.3, 95.8, 40000.0, 6.0)
    frame = replace(field.frame, image=image.astype(np.float32))
    table = source_table(measure(frame))
    nearest = int(np.hypot(table["x"] - 96.3, table["y"] - 95.8).argmin())
    assert not table["star"][nearest]
    assert table["growth"][nearest] > 0.2


def test_the_psf_comes_back_from_its_extension_and_has_sum_one(measured):
    back = PsfModel.from_hdu(measured.psf.to_hdu())
    for x, y in ((0, 0), (96.0, 30.0), (191, 191)):
        np.testing.assert_allclose(back.evaluate(x, y), measured.psf.evaluate(x, y), atol=1e-7)
        assert back.evaluate(x, y).sum() == pytest.approx(1)
        assert back.evaluate(x, y, dx=0.5).sum() == pytest.approx(1, abs=0.02)


def test_the_psf_follows_a_width_that_varies_over_the_field():
    shape, random = (256, 256), np.random.default_rng(5)
    image = np.full(shape, 200.0)
    for row in range(16, 250, 26):
        for column in range(16, 250, 26):
            x, y = column + random.uniform(-1, 1), row + random.uniform(-1, 1)
            add_star(image, x, y, 3e4, 2.0 + 1.0 * x / 255)
    noisy = random.poisson(image).astype(np.float32)
    frame = Frame(noisy, np.zeros(shape, np.uint16), noisy + 36, tangent_wcs(10.0, 0.0, shape, scale_arcsec=1.0))
    psf = measure(frame).psf
    assert psf.fwhm(250, 128) / psf.fwhm(5, 128) == pytest.approx(3.0 / 2.0, rel=0.1)


def test_tan_sip_writes_a_distortion_across_ra_zero():
    shape = (200, 300)
    truth = tangent_wcs(0.001, -1.5, shape, scale_arcsec=1.0)
    y, x = (v.ravel().astype(float) for v in np.mgrid[0:200:20, 0:300:20])
    bend = 1e-5 * (x - 150) ** 2
    ra, dec = truth.all_pix2world(x + bend, y, 0)
    wcs = fit_tan_sip(x, y, ra, dec, shape)
    found_ra, found_dec = wcs.all_pix2world(x, y, 0)
    assert np.abs((found_ra - ra + 180) % 360 - 180).max() * 3600 < 1e-3
    assert np.abs(found_dec - dec).max() * 3600 < 1e-3
    np.testing.assert_allclose(wcs.all_world2pix(ra, dec, 0), (x, y), atol=1e-3)


def test_five_stars_give_a_shift_and_no_more():
    field = star_field((128, 128), stars=5, seed=21)
    catalogue = field.catalogue
    order = np.argsort(-field.flux)
    guess = field.wcs.deepcopy()
    guess.wcs.crpix = guess.wcs.crpix + 10
    solution = refine_wcs(
        guess, (128, 128), field.x[order], field.y[order], catalogue.ra, catalogue.dec,
        match_radius_arcsec=3.0, pointing_error_arcsec=60.0,
    )  # fmt: skip
    assert solution.order == 0
    assert len(solution.stars) == 5


def crowd(shape, number, seed):
    """Return positions, and a catalogue of half of them on a sky that is distorted by an arcminute at the corners."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(5, shape[1] - 6, number), random.uniform(5, shape[0] - 6, number)
    u, v = x - shape[1] / 2, y - shape[0] / 2
    stretch = 1 + 6e-9 * (u**2 + v**2)
    true = tangent_wcs(150.0, 22.0, shape, scale_arcsec=1.0)
    ra, dec = true.all_pix2world(u * stretch + shape[1] / 2, v * stretch + shape[0] / 2, 0)
    return x, y, ra, dec


@pytest.mark.parametrize("turn_deg", [-1.0, 0.0, 0.6, 1.0])
@pytest.mark.parametrize("shape", [(512, 480), (3080, 3072)])
def test_a_guess_off_by_an_arcminute_and_a_degree_is_put_right_with_half_of_the_catalogue(shape, turn_deg):
    x, y, ra, dec = crowd(shape, 60 + shape[0], seed=5)
    listed = np.random.default_rng(6).random(len(x)) < 0.5
    turn = np.radians(turn_deg)
    guess = tangent_wcs(150.0, 22.0, shape, scale_arcsec=1.0)
    guess.wcs.cd = guess.wcs.cd @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    guess.wcs.crval = guess.wcs.crval + np.array([35.0 / np.cos(np.radians(22.0)), -45.0]) / 3600
    guess.wcs.set()
    solution = refine_wcs(
        guess, shape, x, y, ra[listed], dec[listed], match_radius_arcsec=3.0, pointing_error_arcsec=60.0
    )
    found_ra, found_dec = solution.wcs.all_pix2world(x, y, 0)
    assert len(solution.stars) > 0.95 * listed.sum()
    assert np.abs(found_ra - ra).max() * 3600 < 0.03
    assert np.abs(found_dec - dec).max() * 3600 < 0.03


def test_variable_stars_do_not_move_the_zero_point():
    random = np.random.default_rng(1)
    flux = 10 ** random.uniform(3, 5, 50)
    magnitude = 24.5 - 2.5 * np.log10(flux) + random.normal(0, 0.01, 50)
    magnitude[:8] += 1.0
    fitted = fit_zero_point(flux, np.sqrt(flux), magnitude)
    assert fitted.value == pytest.approx(24.5, abs=0.01)
    assert fitted.stars <= 42


def test_the_zero_point_follows_colour_and_place():
    random = np.random.default_rng(4)
    flux, colour = 10 ** random.uniform(4, 5.5, 600), random.normal(0.7, 0.4, 600)
    x, y = random.uniform(0, 999, (2, 600))
    shade = 0.02 * (x / 500 - 1) - 0.015 * ((y / 500 - 1) ** 2 - 1 / 3)
    magnitude = 24.5 + 0.08 * (colour - 0.7) + shade - 2.5 * np.log10(flux) + random.normal(0, 0.005, 600)
    magnitude[::30] += 0.7
    fitted = fit_zero_point(
        flux, np.sqrt(flux), magnitude, colour=colour - 0.7, places=(x, y), shape=(1000, 1000)
    )  # fmt: skip
    assert fitted.value == pytest.approx(24.5, abs=0.002)
    assert fitted.colour_term == pytest.approx(0.08, abs=0.005)
    level = flux * fitted.flux_correction(x, y, (1000, 1000))
    assert np.abs(2.5 * np.log10(level / flux) + shade).max() < 0.005
    assert fitted.rms < 0.015


def test_a_frame_at_one_zero_point_has_its_own_terms_taken_out_of_pixels_and_variance_as_out_of_fluxes():
    random = np.random.default_rng(2)
    shape = 31, 47
    image, variance = random.uniform(1, 2, (2, *shape)).astype(np.float32)
    zero_point = ZeroPoint(25.3, 0.02, 300, 0.05, np.array([0.11, -0.07, 0.05, -0.04, 0.06]))
    frame = Frame(image, np.zeros(shape, np.uint16), variance, None, {**zero_point.keywords(), "FWHM": 2.0})
    flat = level(frame)
    rows, columns = np.indices(shape)
    factor = zero_point.flux_correction(columns.ravel(), rows.ravel(), shape).reshape(shape)
    np.testing.assert_allclose(flat.image, image * factor, rtol=3e-7)
    np.testing.assert_allclose(flat.variance, variance * factor**2, rtol=3e-7)
    kept = ZeroPoint.from_header(flat.header)
    assert kept.spatial.size == 0
    assert (kept.value, kept.rms, kept.stars, kept.colour_term, flat.header["FWHM"]) == (25.3, 0.02, 300, 0.05, 2.0)
    assert level(flat) is flat
    np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("terms", [0, 2, 5])
def test_a_zero_point_comes_back_from_a_header(terms):
    zero_point = ZeroPoint(25.3, 0.02, 300, 0.05, 0.01 * np.arange(1.0, terms + 1))
    again = ZeroPoint.from_header(zero_point.keywords())
    assert replace(again, spatial=None) == replace(zero_point, spatial=None)
    np.testing.assert_array_equal(again.spatial, zero_point.spatial)


@pytest.mark.parametrize("magnitude", [[np.nan] * 5, [20.0, 21.0]])
def test_a_zero_point_of_too_few_stars_is_a_named_failure(magnitude):
    flux = np.full(len(magnitude), 1e4)
    with pytest.raises(Unusable) as failure:
        fit_zero_point(flux, np.sqrt(flux), np.array(magnitude))
    assert failure.value.cause == "photometry_failed"


def test_a_sources_table_serves_as_a_catalogue_with_its_good_stars_only(tmp_path, measured):
    table = source_table(measured)
    table["flags"][0] = 2
    fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(tmp_path / "s.fits")
    catalogue = read_catalogue(tmp_path / "s.fits", "r")
    assert len(catalogue) == int((table["star"] & (table["flags"] == 0)).sum())
    assert (np.diff(catalogue.magnitude) >= 0).all()


def test_a_catalogue_that_does_not_read_is_a_named_failure(tmp_path):
    (tmp_path / "s.fits").write_bytes(b"nothing")
    with pytest.raises(Unusable) as failure:
        read_catalogue(tmp_path / "s.fits", "r")
    assert failure.value.cause == "astrometry_failed"


def test_bounds_hold_on_both_sides_and_what_was_not_measured_fails():
    bounds = (
        Bounds("fwhm_px", (1.0, 4.0), (0.5, 8.0)),
        Bounds("elongation", fail=(None, 2.0)),
        Bounds("absent", fail=(0, 1)),
    )
    assert judge({"fwhm_px": 2.0, "elongation": 1.1}, bounds).good
    assert judge({"fwhm_px": 5.0}, bounds).warnings
    assert not judge({"fwhm_px": 0.3}, bounds).good
    assert not judge({"fwhm_px": 9.0}, bounds).good
    assert not judge({"elongation": float("nan")}, bounds).good


@pytest.mark.parametrize("rows", [(180, 420), (250, 372), (20, 310), (0, 900)], ids=str)
def test_a_source_taller_than_a_bands_margin_is_found_once_and_whole(monkeypatch, rows):
    field = star_field((900, 160), stars=400, seed=5)
    image = field.frame.image - np.float32(np.median(field.frame.image))
    image[slice(*rows), 80:84] += 30_000  # charge that ran along its column, across the seam at row 300
    variance = np.full(image.shape, 400, np.float32)
    background = Background(np.zeros_like(image), variance, 0.0, 20.0)
    whole = find_sources(image, background, field.frame.mask, sigma=5.0)
    monkeypatch.setattr(sources, "PIXELS_OF_A_BAND", 500)
    banded = find_sources(image, background, field.frame.mask, sigma=5.0)
    assert len(banded) == len(whole)
    brightest = np.flatnonzero(banded.flux > 0.1 * whole.flux[0])
    np.testing.assert_allclose(banded.y[brightest], whole.y[: len(brightest)], atol=0.01)
    np.testing.assert_allclose(banded.flux[brightest], whole.flux[: len(brightest)], rtol=1e-4)


def test_a_star_that_bleeds_along_a_whole_column_does_not_make_one_band_of_the_image(monkeypatch):
    field = star_field((1500, 160), stars=600, seed=5)
    image = field.frame.image - np.float32(np.median(field.frame.image))
    image[:, 80:84] += 30_000
    mask = field.frame.mask.copy()
    mask[:, 80:84] |= np.uint16(MaskBit.SPILLAGE)
    background = Background(np.zeros_like(image), np.full(image.shape, 400, np.float32), 0.0, 20.0)
    whole = find_sources(image, background, mask, sigma=5.0)
    heights, extract = [], sources.sep.extract
    monkeypatch.setattr(sources, "PIXELS_OF_A_BAND", 500)
    monkeypatch.setattr(sources.sep, "extract", lambda *a, **told: heights.append(len(a[0])) or extract(*a, **told))
    banded = find_sources(image, background, mask, sigma=5.0)
    assert max(heights) == 300 + 2 * sources.MARGIN_AT_MOST
    bled = (banded.flags & SourceFlag.SATURATED) != 0
    assert 1 < bled.sum() < 12
    away = np.abs(whole.x - 81.5) > 12
    order, same = (np.lexsort((s.x[k], s.y[k])) for s, k in ((whole, away), (banded, np.abs(banded.x - 81.5) > 12)))
    np.testing.assert_allclose(banded.y[np.abs(banded.x - 81.5) > 12][same], whole.y[away][order], atol=0.01)


def test_a_crowded_image_is_searched_in_bands_and_gives_the_same_sources(monkeypatch):
    field = star_field((900, 160), stars=400, seed=5)
    frame = field.frame
    background = measure_background(frame, mesh_px=64)
    image = frame.image - background.level
    whole = find_sources(image, background, frame.mask, sigma=5.0)
    calls, extract = [], sources.sep.extract
    monkeypatch.setattr(sources, "PIXELS_OF_A_BAND", 500)
    monkeypatch.setattr(sources.sep, "extract", lambda *a, **told: calls.append(a[0].shape) or extract(*a, **told))
    banded = find_sources(image, background, frame.mask, sigma=5.0)
    assert calls == [(300 + 64, 160), (300 + 2 * 64, 160), (300 + 64, 160)]
    assert len(banded) == len(whole) > 300
    order, same = np.lexsort((whole.x, whole.y)), np.lexsort((banded.x, banded.y))
    np.testing.assert_allclose(banded.y[same], whole.y[order], atol=0.01)
    np.testing.assert_allclose(banded.x[same], whole.x[order], atol=0.01)
    np.testing.assert_allclose(banded.flux[same], whole.flux[order], rtol=1e-4)
