"""The jobs on a node: reference, difference and moving objects, from files to files."""

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from difference_scenes import draw, grid, moffat, scene

from nightshift.errors import BadInput
from nightshift.files import sha256_of
from nightshift.inspect.difference_page import draw_difference
from nightshift.inspect.page import page_of
from nightshift.inspect.products_at_hand import from_folder
from nightshift.jobs.contract import Input, UnitWork, write_result
from nightshift.jobs.translate import compression_of
from nightshift.kinds.difference import work as difference
from nightshift.kinds.difference.differencing import match_stars
from nightshift.kinds.moving_objects import work as moving_objects
from nightshift.kinds.reference import work as reference
from nightshift.settings import load_survey
from nightshift.vocabulary import AttemptState, Reason
from reduction.difference.forced import PsfGrid, force_fluxes
from reduction.image.compression import NO_COMPRESSION
from reduction.image.cutouts import read_cutouts
from reduction.image.frame import read_frame, write_frame
from reduction.measure.sources import SourceFlag

UNIT = "democam/20260115030000/d01/q1/processed/live"
HEADER = {"EXPTIME": 30.0, "MAGZP": 25.0, "MAGZPRMS": 0.02, "MAGZPNUM": 50, "FILTER": "r"}


@pytest.fixture
def survey():
    found = load_survey("demo")
    return found.model_copy(update={"reduction": found.reduction.model_copy(update={"kernel_order": 1})})


def given(role, path, key="") -> Input:
    return Input(role, str(path), sha256_of(path), key or str(path))


def table_of(x, y, flux, wcs) -> Table:
    ra, dec = wcs.all_pix2world(x, y, 0)
    flux = np.asarray(flux, float)
    columns = {
        "x": x, "y": y, "ra": ra, "dec": dec, "flux": flux, "flux_err": 0.01 * flux, "mag": 25 - 2.5 * np.log10(flux),
        "mag_err": np.full(len(flux), 0.01), "psf_chi2": np.ones(len(flux)),
    }  # fmt: skip
    table = Table({name: np.asarray(values, float) for name, values in columns.items()})
    table["flags"] = np.zeros(len(flux), np.int32)
    table["star"] = np.ones(len(flux), bool)
    return table


def placed(folder, name, frame, psf, table, compression=NO_COMPRESSION, spatial=()) -> tuple:
    image, sources = folder / f"{name}.fits", folder / f"{name}_sources.fits"
    folder.mkdir(exist_ok=True)
    with image.open("x+b") as stream:
        header = {**HEADER, "FWHM": psf.fwhm(), **dict(spatial)}
        write_frame(stream, replace(frame, header=header), [psf.to_hdu()], compression)
    table.write(sources)
    return image, sources


def pair_on_disk(folder, pair, compression=NO_COMPRESSION, spatial=()):
    x, y = pair.stars.x, pair.stars.y
    inside = (x > 5) & (y > 5) & (x < 250) & (y < 250)
    sources = table_of(x[inside], y[inside], pair.stars.flux[inside], pair.science.wcs)
    image, table = placed(folder, "calibrated", pair.science, pair.psf, sources, compression, spatial)
    known, known_table = placed(folder, "reference", pair.reference, pair.reference_psf, sources)
    return (
        given("calibrated", image), given("sources", table), given("reference", known),
        given("reference_sources", known_table),
    )  # fmt: skip


def work(folder, inputs, unit_key=UNIT, **parameters) -> UnitWork:
    folder.mkdir(parents=True, exist_ok=True)
    return UnitWork(unit_key, 1, "token", str(folder), tuple(inputs), parameters)


def test_a_difference_job_leaves_the_difference_its_cutouts_and_numbered_candidates(tmp_path, survey):
    pair = scene()
    unit = work(tmp_path / "attempt", pair_on_disk(tmp_path, pair), exposure_s=30.0)
    result = difference.run(unit, survey, tmp_path / "attempt")
    assert result.state == AttemptState.SUCCEEDED
    rows = result.rows["candidates"]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert [(row["y"], row["x"]) for row in rows] == sorted((row["y"], row["x"]) for row in rows)
    for x, y in zip(pair.new_x, pair.new_y, strict=True):
        row = min(rows, key=lambda r: np.hypot(r["x"] - x, r["y"] - y))
        assert np.hypot(row["x"] - x, row["y"] - y) < 1.0
        assert row["record"]["rb"] > 0.5 and row["record"]["rbversion"]
        assert pair.science.wcs.all_world2pix(row["ra_deg"], row["dec_deg"], 0)[0] == pytest.approx(row["x"])
    told = result.metrics["difference"]
    assert told["state"] == "processed" and told["reason"] is None and told["candidates"] == len(rows)
    assert {product.kind for product in result.products} == {"difference", "cutouts"}
    frame = read_frame(tmp_path / "attempt" / "difference.fits")
    assert frame.shape == pair.science.shape and np.isfinite(frame.image).all()
    with tarfile.open(tmp_path / "attempt" / "cutouts.tar") as archive:
        assert len(archive.getnames()) == 4 * len(rows)
        content = archive.extractfile("1_difference.fits.gz").read()
    with fits.open(io.BytesIO(gzip.decompress(content))) as units:
        assert units[0].data.shape == (63, 63)
        assert units[0].data[31, 31] > 0
    strongest = max(rows, key=lambda r: abs(r["signal_to_noise"]))
    stamps = read_cutouts(tmp_path / "attempt" / "cutouts.tar", strongest["number"])
    assert set(stamps) == {"science", "template", "difference", "score"}
    assert stamps["score"][28:35, 28:35].max() == pytest.approx(abs(strongest["signal_to_noise"]), rel=0.05)
    with fits.open(tmp_path / "attempt" / "difference.fits") as units:
        assert units["SCORE"].data.max() >= 0.95 * strongest["signal_to_noise"]
    json.dumps([row["record"] for row in rows], allow_nan=False)


def shaded_by(frame, slope, spatial):
    """Return a frame with more light along its rows, as a flat leaves it, and the header that says so."""
    rows = frame.shape[0]
    shade = 10 ** (0.4 * slope * np.linspace(-1, 1, rows))[:, None].astype(np.float32)
    return replace(frame, image=frame.image * shade, variance=frame.variance * shade**2, header=spatial)


def test_a_transient_has_flux_magnitude_and_limit_at_the_images_zero_point_wherever_the_flat_left_more_light(
    tmp_path, survey
):
    pair = scene(new=16, seed=71)
    slope = 2.5 * np.log10(1.04)  # magnitudes, from the middle to the last row
    spatial = {"MAGZP_1": 0.0, "MAGZP_2": slope}
    shaded = replace(pair, science=shaded_by(pair.science, slope, {}))
    # The tables have it taken out: those of both are the same.
    forced, outcomes, headers = [], [], []
    for name, given_pair, terms in (("plain", pair, {}), ("shaded", shaded, spatial)):
        folder = tmp_path / name
        folder.mkdir()
        attempt = folder / "attempt"
        unit = work(attempt, pair_on_disk(folder, given_pair, spatial=terms), exposure_s=30.0)
        outcomes.append(difference.run(unit, survey, attempt))
        with fits.open(attempt / "difference.fits") as units:
            stamps = PsfGrid.from_hdu(units["PSFGRID"])
        frame = read_frame(attempt / "difference.fits")
        forced.append(force_fluxes(frame, stamps, pair.new_x, pair.new_y))
        headers.append(frame.header)
        limit = outcomes[-1].metrics["difference"]["limiting_magnitude"]
        assert frame.header["DIFFLIM"] == pytest.approx(limit)
        for row in outcomes[-1].rows["candidates"]:
            assert row["record"]["magzpsci"] == 25.0
            assert row["record"]["diffmaglim"] == pytest.approx(limit)
    assert not set(spatial) & set(headers[1])
    changes = []
    for x, y, plain, again in zip(pair.new_x, pair.new_y, *forced, strict=True):
        one, other = (
            min(outcome.rows["candidates"], key=lambda r: np.hypot(r["x"] - x, r["y"] - y)) for outcome in outcomes
        )
        apart = [other["record"][name] - one["record"][name] for name in ("magpsf", "magap")]
        changes.append([*apart, 2.5 * np.log10(plain.flux / again.flux)])
    far = np.abs(pair.new_y - 127.5) > 60  # the term has 0.02 mag there, and 0.04 at the edge
    assert far.sum() >= 5
    assert np.abs(np.median(np.array(changes)[far] * np.sign(pair.new_y - 127.5)[far, None], axis=0)).max() < 0.007


def test_the_page_of_a_difference_shows_its_field_its_score_and_its_candidates(tmp_path, survey):
    folder = tmp_path / "attempt"
    unit = work(folder, pair_on_disk(tmp_path, scene()), exposure_s=30.0)
    write_result(folder, difference.run(unit, survey, folder))
    shown = from_folder(folder)
    pictures = draw_difference(shown.files, shown.candidates)
    rows = -(-len(shown.candidates) // 12)
    assert [p.title for p in pictures[:3]] == ["Reference", "Difference", "Score"]
    assert [p.wide for p in pictures] == [False, False, False] + [True] * rows
    page = page_of(shown)
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "noise ratio" in page and "limiting magnitude" in page
    (folder / "cutouts.tar").write_bytes(b"no archive")
    assert page_of(from_folder(folder)).count("data:image/png;base64,") == len(pictures)
    for name in ("difference.fits", "cutouts.tar"):
        (folder / name).unlink()
    with pytest.raises(BadInput, match="no difference to show"):
        from_folder(folder)


def test_the_same_difference_has_the_same_bytes(tmp_path, survey):
    inputs = pair_on_disk(tmp_path, scene())
    results = []
    for name in ("first", "second"):
        results.append(difference.run(work(tmp_path / name, inputs), survey, tmp_path / name))
    assert [p.sha256 for p in results[0].products] == [p.sha256 for p in results[1].products]
    assert results[0].rows == results[1].rows


def test_compression_changes_no_candidate(tmp_path, survey):
    pair, found = scene(), {}
    for name in ("none", "all"):
        numbers = survey.reduction.model_copy(update={"compression": name})
        chosen = survey.model_copy(update={"reduction": numbers})
        inputs = pair_on_disk(tmp_path / f"{name}-pair", pair, compression_of(chosen))
        folder = tmp_path / name
        found[name] = difference.run(work(folder, inputs), chosen, folder)
        with fits.open(folder / "difference.fits", checksum=True) as units:
            packed = [isinstance(units[unit], fits.CompImageHDU) for unit in ("SCI", "MASK", "VAR")]
            assert packed == [name == "all"] * 3
    plain, packed = (found[name].rows["candidates"] for name in ("none", "all"))
    assert len(plain) == len(packed) > 5
    # Rounding by itself is 0.02 of the noise. The kernel is fitted to the rounded images, which moves all magnitudes
    # more: of 48 candidates in four scenes by 0.05 of their errors (rms), 0.12 at most.
    apart = [
        (one["magnitude"] - other["magnitude"]) / one["magnitude_error"]
        for one, other in zip(plain, packed, strict=True)
    ]
    assert np.sqrt(np.mean(np.square(apart))) < 0.08 and np.abs(apart).max() < 0.15
    for one, other in zip(plain, packed, strict=True):
        assert np.hypot(one["x"] - other["x"], one["y"] - other["y"]) < 0.02
        # its noise is of its surroundings, and turns by some percent with the last digit of the pixels
        assert one["signal_to_noise"] == pytest.approx(other["signal_to_noise"], rel=0.1)
    if shutil.which("fitsverify"):
        said = subprocess.run(["fitsverify", "-q", folder / "difference.fits"], capture_output=True, text=True)
        assert said.stdout.startswith("verification OK"), said.stdout


def test_a_sampled_frame_says_what_it_found_of_the_sources_put_into_it(tmp_path, survey):
    numbers = survey.reduction.model_copy(update={"injection_fraction": 1.0, "injection_sources": 12})
    sampled = survey.model_copy(update={"reduction": numbers})
    inputs = pair_on_disk(tmp_path, scene(new=0, seed=31))
    plain = difference.run(work(tmp_path / "a", inputs), survey, tmp_path / "a")
    result = difference.run(work(tmp_path / "b", inputs), sampled, tmp_path / "b")
    assert [p.sha256 for p in result.products] == [p.sha256 for p in plain.products]
    assert result.rows == plain.rows
    quality = result.metrics["difference"]["quality"]
    injected = sum(quality[f"injected_{name}"] for name in ("snr5_6", "snr6_8", "snr8_up"))
    assert 3 <= injected <= 12
    assert 0 < sum(quality[f"recovered_{name}"] for name in ("snr5_6", "snr6_8", "snr8_up")) <= injected
    assert "injected_snr5_6" not in plain.metrics["difference"]["quality"]


def test_three_stars_reject_the_difference_with_their_reason(tmp_path, survey):
    pair = scene()
    few = replace(
        pair, stars=replace(pair.stars, **{k: getattr(pair.stars, k)[:3] for k in ("x", "y", "flux", "usable")})
    )
    result = difference.run(work(tmp_path / "a", pair_on_disk(tmp_path, few)), survey, tmp_path / "a")
    assert result.state == AttemptState.REJECTED
    assert result.reason == Reason.TOO_FEW_STARS
    assert result.metrics["difference"]["reason"] == "too_few_stars"
    assert result.rows["candidates"] == []


def test_more_candidates_than_the_sky_can_have_reject_the_difference_and_keep_its_image(tmp_path, survey):
    strict = survey.model_copy(update={"alerts": survey.alerts.model_copy(update={"at_most_per_unit": 5})})
    result = difference.run(work(tmp_path / "a", pair_on_disk(tmp_path, scene())), strict, tmp_path / "a")
    assert result.state == AttemptState.REJECTED
    assert result.reason == Reason.TOO_MANY_CANDIDATES
    assert [product.kind for product in result.products] == ["difference"]
    assert result.rows["candidates"] == []


def test_a_reference_is_built_from_its_members_and_can_be_differenced_against(tmp_path, survey):
    pair = scene()
    x, y, flux = pair.stars.x, pair.stars.y, pair.stars.flux
    ra, dec = pair.science.wcs.all_pix2world(x, y, 0)
    inputs = []
    for k in range(6):
        wcs, psf = grid((0.7 * k, -0.4 * k)), moffat(2.3 + 0.1 * k)
        frame = draw(wcs, psf, ra, dec, flux / (1 + 0.1 * k), sky=200.0, seed=100 + k)
        frame.image[50 + k, 60] += 8000  # a cosmic ray, in no other member
        own_x, own_y = wcs.all_world2pix(ra, dec, 0)
        inputs.append(placed(tmp_path, f"member{k}", frame, psf, table_of(own_x, own_y, flux / (1 + 0.1 * k), wcs)))
    keys = [f"democam/2026011503000{k}/d01/q1/processed/live" for k in range(6)]
    given_all = [given("calibrated", image, key) for (image, _), key in zip(inputs, keys, strict=True)]
    given_all += [given("sources", table, key) for (_, table), key in zip(inputs, keys, strict=True)]
    folder = tmp_path / "reference_job"
    members = [{"unit_key": key} for key in keys]
    result = reference.run(work(folder, given_all, "reference/x", members=members), survey, folder)
    assert result.state == AttemptState.SUCCEEDED
    assert result.metrics["frames"] == 6
    assert result.metrics["zero_point"] == 25.0
    assert [m["unit_key"] for m in result.metrics["members"]] == keys
    weights = [m["weight"] for m in result.metrics["members"]]
    assert sum(weights) == pytest.approx(1) and weights[0] > weights[-1]
    frame = read_frame(folder / "reference.fits")
    assert frame.header["NFRAMES"] == 6 and frame.header["EXPTIME"] == 180.0

    assert np.abs(frame.image[50:56, 60]).max() < 200
    sources = Table.read(folder / "reference_sources.fits")
    bright = int(np.argmax(sources["flux"]))
    match = int(np.argmin(np.hypot(x - sources["x"][bright], y - sources["y"][bright])))
    assert sources["flux"][bright] == pytest.approx(flux[match], rel=0.03)
    image, table = pair_on_disk(tmp_path, pair)[:2]
    found = difference.run(
        work(
            tmp_path / "d",
            [
                image,
                table,
                given("reference", folder / "reference.fits"),
                given("reference_sources", folder / "reference_sources.fits"),
            ],
        ),
        survey,
        tmp_path / "d",
    )
    assert found.state == AttemptState.SUCCEEDED
    assert len(found.rows["candidates"]) >= 10


def test_a_reference_does_not_keep_the_slope_that_its_members_flats_left(tmp_path, survey):
    pair = scene()
    x, y, flux = pair.stars.x, pair.stars.y, pair.stars.flux
    ra, dec = pair.science.wcs.all_pix2world(x, y, 0)
    slope, inputs = 2.5 * np.log10(1.03), []
    terms = {"MAGZP_1": 0.0, "MAGZP_2": slope}
    for k in range(3):
        wcs, psf = grid((0.7 * k, -0.4 * k)), moffat(2.3 + 0.1 * k)
        frame = shaded_by(draw(wcs, psf, ra, dec, 4 * flux, sky=200.0, seed=100 + k), slope, {})
        own_x, own_y = wcs.all_world2pix(ra, dec, 0)
        table = table_of(own_x, own_y, 4 * flux, wcs)  # the term is taken out of it
        inputs.append(placed(tmp_path, f"member{k}", frame, psf, table, spatial=terms))
    given_all = [given("calibrated", i) for i, _ in inputs] + [given("sources", t) for _, t in inputs]
    folder = tmp_path / "reference_job"
    assert reference.run(work(folder, given_all, "r"), survey, folder).state == AttemptState.SUCCEEDED
    sources = Table.read(folder / "reference_sources.fits")
    nearest = np.hypot(x[:, None] - sources["x"][None], y[:, None] - sources["y"][None]).argmin(axis=1)
    alone = (flux > 5e3) & (np.hypot(x - sources["x"][nearest], y - sources["y"][nearest]) < 0.2)
    alone &= (np.abs(y - 127.5) < 120) & (np.abs(x - 127.5) < 120)
    ratio = np.asarray(sources["flux"])[nearest][alone] / (4 * flux[alone])
    tilt, middle = np.polyfit(y[alone] / 127.5 - 1, ratio, 1)
    assert alone.sum() > 15
    assert middle == pytest.approx(1, abs=0.01)
    assert tilt == pytest.approx(0, abs=0.01)
    header = read_frame(folder / "reference.fits").header
    assert header["MAGZP"] == 25.0 and not set(terms) & set(header)


def test_members_that_show_another_sky_give_no_reference(tmp_path, survey):
    random = np.random.default_rng(9)
    inputs = []
    for k in range(3):
        x, y = random.uniform(20, 230, (2, 30))
        flux = np.full(30, 2e4)
        ra, dec = grid().all_pix2world(x, y, 0)
        frame = draw(grid(), moffat(2.5), ra, dec, flux, sky=200.0, seed=k)
        inputs.append(placed(tmp_path, f"m{k}", frame, moffat(2.5), table_of(x, y, flux, grid())))
    given_all = [given("calibrated", i) for i, _ in inputs] + [given("sources", t) for _, t in inputs]
    result = reference.run(work(tmp_path / "r", given_all, "reference/x"), survey, tmp_path / "r")
    assert result.state == AttemptState.REJECTED
    assert result.reason == Reason.TOO_FEW_FRAMES


def test_a_mover_of_one_night_becomes_a_tracklet_row(tmp_path, survey):
    rows = []
    for k in range(6):
        for quadrant, rate in ((1, 0.3), (2, 0.0)):
            rows.append(
                {
                    "candid": 1000 + 10 * k + quadrant,
                    "mjd": 61000.2 + k / 48,
                    "ra_deg": (359.999 + rate * k / 48 + 0.05 * quadrant) % 360,
                    "dec_deg": -1.5,
                    "magnitude": 18.0 + 0.1 * k,
                    "signal_to_noise": 12.0,
                    "unit_key": f"democam/2026011503000{k}/d01/q{quadrant}/processed/live",
                }
            )
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(rows))
    result = moving_objects.run(
        work(tmp_path / "m", [given("detections", path)], "demo/20260115/live"), survey, tmp_path / "m"
    )
    assert result.state == AttemptState.SUCCEEDED
    (tracklet,) = result.rows["tracklets"]
    assert [m["candid"] for m in tracklet["members"]] == [1001 + 10 * k for k in range(6)]
    assert tracklet["number"] == 1
    assert tracklet["position_angle_deg"] == pytest.approx(90, abs=0.5)
    assert tracklet["rate_deg_per_day"] == pytest.approx(0.3, rel=0.01)
    assert tracklet["begins_mjd"] == 61000.2 and tracklet["ends_mjd"] == pytest.approx(61000.2 + 5 / 48)
    assert tracklet["magnitude"] == pytest.approx(18.25)


def test_nothing_moves_in_a_night_without_detections(tmp_path, survey):
    path = tmp_path / "detections.json"
    path.write_text("[]")
    result = moving_objects.run(
        work(tmp_path / "m", [given("detections", path)], "demo/20260115/live"), survey, tmp_path / "m"
    )
    assert result.state == AttemptState.SUCCEEDED
    assert result.rows["tracklets"] == []


def test_a_difference_is_the_same_with_the_frame_or_after_it(tmp_path, survey):
    from nightshift.jobs.contract import Product, UnitResult
    from nightshift.jobs.products import Stopwatch
    from nightshift.kinds.science.work import _with_difference

    calibrated, sources, *reference_inputs = pair_on_disk(tmp_path, scene())
    later = difference.run(
        work(tmp_path / "later", (calibrated, sources, *reference_inputs)), survey, tmp_path / "later"
    )
    made = tuple(
        Product(item.role, Path(item.path).name, item.sha256, Path(item.path).stat().st_size)
        for item in (calibrated, sources)
    )
    reduced = UnitResult(UNIT, "token", AttemptState.SUCCEEDED, products=made)
    at_once = _with_difference(work(tmp_path, reference_inputs), survey, tmp_path, reduced, Stopwatch())
    assert at_once.rows == later.rows
    assert [p.sha256 for p in at_once.products[2:]] == [p.sha256 for p in later.products]
    assert {i.role for i in at_once.products[2].inputs} == {i.role for i in later.products[0].inputs}


def test_a_saturated_star_that_could_not_be_fitted_is_as_bright_as_the_reference_says():
    pair = scene()
    inside = (pair.stars.x > 5) & (pair.stars.y > 5) & (pair.stars.x < 250) & (pair.stars.y < 250)
    x, y, flux = pair.stars.x[inside], pair.stars.y[inside], pair.stars.flux[inside]
    known, own = (table_of(x, y, f, pair.science.wcs) for f in (1.2 * flux, flux))
    star = int(np.argmax(flux))
    own["flux"][star], own["flags"][star] = 0.0, int(SourceFlag.SATURATED | SourceFlag.NOT_FITTED)
    matched = match_stars(pair.science, own, known)
    assert matched.flux[star] == pytest.approx(flux[star])
    assert not matched.usable[star]
