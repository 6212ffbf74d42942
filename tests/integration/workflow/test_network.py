"""One ledger for two sites and three cameras: whose a file is, what is due of whom, and which night closes when."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from nightshift.archive.night_archive import archive, verify
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import open_ledger
from nightshift.night_end.accounts import account
from nightshift.night_end.close import begin_closing, close, in_flight
from nightshift.night_end.mail import message_id
from nightshift.night_end.report import write_report
from nightshift.settings import load_deployment
from nightshift.vocabulary import Disposition, NightState, Reason
from nightshift.workflow.arrays import sweep
from nightshift.workflow.due_runs import due_runs
from rehearsal.simulator.manifest import manifest_of

NIGHT = date(2025, 11, 20)
EVENING = datetime(2025, 11, 21, 1, tzinfo=UTC)  # dark at both sites
NOON_NORTH = datetime(2025, 11, 21, 12, tzinfo=UTC)
NOON_SOUTH = datetime(2025, 11, 21, 15, tzinfo=UTC)
PLACES = {"north_wide": (62.0, 24.0), "north_single": (58.0, 33.0), "south_wide": (60.0, -24.0)}
NAMES = {"north_wide": "wn_{}_d01.fits", "north_single": "single_{}.fits", "south_wide": "ws_{}_d01.fits"}


class NetworkFrames:
    """Writes files as the network's cameras do. The n-th exposure opens n minutes after the evening began."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.written: list[Path] = []

    def __call__(self, instrument: str, number: int = 0, *, name: str | None = None, **header: Any) -> Path:
        shutter, (ra, dec) = EVENING + timedelta(minutes=number), PLACES[instrument]
        image = np.full((384, 416), 1000, np.uint16)
        single = instrument == "north_single"
        units = [fits.PrimaryHDU(image)] if single else [fits.PrimaryHDU(), *(fits.ImageHDU(image) for _ in "12")]
        cards = {
            "INSTRUME": instrument.upper(), "DETECTOR": 1, "IMAGETYP": "object", "EXPTIME": 30.0,
            "DATE-OBS": shutter.strftime("%Y-%m-%dT%H:%M:%S.000"), "FILTER": "g", "OBJECT": "a field",
            "RA": ra, "DEC": dec, "AIRMASS": 1.2, **header,
        }  # fmt: skip
        for key, value in cards.items():
            if value is not None:
                units[0].header[key] = value
        path = self.folder / (name or NAMES[instrument].format(f"{shutter:%Y%m%d%H%M%S}"))
        fits.HDUList(units).writeto(path, checksum=True)
        self.written.append(path)
        return path

    def manifest(self, site: str, paths: list[Path]) -> Path:
        """Write what a site says that it sent; the files must still be there."""
        import hashlib

        entries = [
            {"name": p.name, "bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
            for p in paths
        ]
        path = self.folder / f"manifest_{site}_{NIGHT:%Y%m%d}.json"
        path.write_text(json.dumps(manifest_of(site, NIGHT, entries, synthetic=False)))
        return path


@pytest.fixture
def context(ledger_url, tmp_path, clock):
    """The network with an empty ledger, in the dark of both sites."""
    clock.moment = EVENING
    for name in ("depot", "inbox"):
        (tmp_path / name).mkdir()
    catalogues = tmp_path / "depot" / "catalogues"
    catalogues.mkdir()
    for field in (201, 202, 301):
        (catalogues / f"field{field:06d}.fits").write_bytes(b"stars")
    with open_ledger(ledger_url) as ledger:
        yield Context(load_deployment("network"), ledger, Depot(tmp_path / "depot"), tmp_path / "inbox", clock)


@pytest.fixture
def frames(context):
    return NetworkFrames(context.inbox)


def only(arrivals):
    (arrival,) = arrivals
    return arrival


# --- ingest -------------------------------------------------------------------------------------------------


def test_each_file_is_its_cameras_by_its_name_or_where_two_names_are_alike_by_its_header(context, frames):
    for instrument in PLACES:
        arrival = only(ingest_all(context, [frames(instrument)]))
        assert arrival.disposition is Disposition.REGISTERED, arrival.detail
        assert arrival.frame.instrument == instrument
        assert arrival.night == NIGHT
    sites = {row["instrument"]: row["site"] for row in table(context, "exposures")}
    assert sites == {"north_wide": "north", "north_single": "north", "south_wide": "south"}
    assert [row["site"] for row in table(context, "nights")] == ["north", "south"]


def test_a_file_of_which_neither_name_nor_header_says_whose_it_is_is_quarantined(context, frames):
    strange = only(ingest_all(context, [frames("north_wide", name="other_20251121.fits")]))
    assert (strange.disposition, strange.reason) == (Disposition.QUARANTINED, Reason.NAME_NOT_RECOGNISED)
    assert "north_single" in strange.detail and "south_wide" in strange.detail
    nobody = only(ingest_all(context, [frames("north_wide", 1, INSTRUME="SOMEBODY")]))
    assert (nobody.disposition, nobody.reason) == (Disposition.QUARANTINED, Reason.WRONG_CAMERA)
    silent = only(ingest_all(context, [frames("north_wide", 2, INSTRUME=None)]))
    assert (silent.disposition, silent.reason) == (Disposition.QUARANTINED, Reason.WRONG_CAMERA)
    counted = {row["inbox_name"]: row["site"] for row in table(context, "arrivals")}
    assert set(counted.values()) == {"north"}  # where it is deepest night


def test_a_file_that_name_and_header_give_to_two_cameras_is_set_aside_with_both_named(context, frames):
    deployment = context.deployment
    north, south = (deployment.survey_of(name) for name in ("north_wide", "south_wide"))
    camera = south.camera.model_copy(update={"header_name": "_WIDE$"})
    alike = context.deployment.with_surveys((north, south.model_copy(update={"camera": camera})))
    both = only(ingest_all(replace(context, deployment=alike), [frames("north_wide")]))
    assert (both.disposition, both.reason) == (Disposition.QUARANTINED, Reason.WRONG_CAMERA)
    assert "north_wide, south_wide" in both.detail and "several of them" in both.detail


def test_a_manifest_that_is_named_as_a_cameras_frame_is_set_aside_with_the_camera_named(context, frames):
    def with_loose_names(survey):
        names = survey.camera.file_names.model_copy(update={"pattern": r".*_(?P<exposure>\d+)\.\w+"})
        camera = survey.camera.model_copy(update={"file_names": names})
        return survey.model_copy(update={"camera": camera})

    deployment = context.deployment.with_surveys(
        with_loose_names(survey) for survey in context.deployment.surveys[:2]
    )
    path = frames.manifest("north", [])
    odd = only(ingest_all(replace(context, deployment=deployment), [path]))
    assert (odd.disposition, odd.reason) == (Disposition.QUARANTINED, Reason.MANIFEST_INVALID)
    assert "north_single, north_wide" in odd.detail


def test_a_look_that_straddles_noon_gives_each_file_the_night_of_its_own_shutter(context, frames, clock):
    clock.moment = NOON_NORTH - timedelta(seconds=1)
    before_noon = frames("north_wide", 1, **{"DATE-OBS": "2025-11-21T11:59:58.000"})
    after_noon = frames("north_wide", 2, **{"DATE-OBS": "2025-11-21T12:00:02.000"})
    at_south = frames("south_wide", 3, **{"DATE-OBS": "2025-11-21T12:00:02.000"})

    def as_noon_passes():
        for path in (before_noon, after_noon, at_south):
            yield path
            clock.moment = NOON_NORTH + timedelta(seconds=1)

    arrivals = ingest_all(context, as_noon_passes())
    assert [arrival.night for arrival in arrivals] == [NIGHT, NIGHT + timedelta(days=1), NIGHT]
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select site, night, settings from nights order by site, night")
        pinned = [tuple(row.values()) for row in cursor.fetchall()]
    assert [(site, night, list(held["instruments"])) for site, night, held in pinned] == [
        ("north", NIGHT, ["north_wide"]), ("north", NIGHT + timedelta(days=1), ["north_wide"]),
        ("south", NIGHT, ["south_wide"]),
    ]  # fmt: skip


def test_a_manifest_is_its_sites_by_its_content(context, frames):
    path = frames.manifest("south", [frames("south_wide")])
    assert only(ingest_all(context, [path])).disposition is Disposition.REGISTERED
    assert [row["site"] for row in table(context, "manifests")] == ["south"]
    table_of_nobody = json.loads(frames.manifest("south", []).read_text()) | {"site": "east"}
    path.write_text(json.dumps(table_of_nobody))
    refused = only(ingest_all(context, [path]))
    assert refused.reason is Reason.MANIFEST_INVALID
    assert "of none of north, south" in refused.detail


# --- what is due --------------------------------------------------------------------------------------------


@pytest.fixture
def night(context, runner, frames, clock):
    from tests.integration.workflow.conftest import Night

    return Night(context, runner, frames, clock)


def test_the_work_of_each_camera_is_due_and_done_with_its_own_settings(context, frames, night, runner):
    ingest_all(context, [frames(instrument) for instrument in PLACES])
    night.later(seconds=300)  # no master comes, and nobody waits for it any longer
    requests = night.due("exposure")
    assert {request.conf["instrument"] for request in requests} == set(PLACES)
    for request in requests:
        name = night.start(request)
        job = runner.job(name)
        assert job.settings["camera"]["instrument"] == request.conf["instrument"]
        assert job.survey == "network"
    assert {row["site"] for row in night.rows("jobs")} == {"north", "south"}
    only_south = due_runs(context.of_site("south"))
    assert only_south == []


def test_a_site_waits_for_its_own_work_and_for_no_others(context, frames, night, runner):
    ingest_all(context, [frames("north_wide"), frames("south_wide")])
    night.later(seconds=300)
    (north,) = [request for request in night.due("exposure") if request.conf["instrument"] == "north_wide"]
    night.run(north)
    assert not in_flight(context.of_site("north"), NIGHT)
    assert {thing.kind for thing in in_flight(context.of_site("south"), NIGHT)} >= {"exposure", "unit"}


def test_stragglers_of_every_site_are_swept_up(context, frames, night, runner):
    ingest_all(context, [frames("north_single"), frames("south_wide")])
    night.later(seconds=300)
    names = [night.start(request) for request in night.due("exposure")]
    context.ledger.connection.cursor().execute("update runs set ended_at = now()")
    for name in names:
        runner.finish(name)
    assert {summary.job_key.split("/")[1] for summary in sweep(context, runner)} == {"north_single", "south_wide"}
    assert sweep(context, runner) == []
    assert {row["state"] for row in night.rows("units")} == {"processed"}


# --- how each night closes ----------------------------------------------------------------------------------


def closing_due(context):
    return [(request.conf["site"], request.conf["signal"]) for request in due_runs(context)
            if request.dag_id == "end_of_night"]  # fmt: skip


def test_each_night_is_due_to_close_at_its_own_noon(context, frames, night, clock):
    ingest_all(context, [frames("north_single"), frames("south_wide")])
    night.later(seconds=3600)
    for request in night.due("exposure"):
        night.run(request)
    clock.moment = NOON_NORTH - timedelta(minutes=1)
    assert closing_due(context) == []
    clock.moment = NOON_NORTH + timedelta(minutes=1)
    assert closing_due(context) == [("north", "clock")]
    clock.moment = NOON_SOUTH + timedelta(minutes=1)
    assert closing_due(context) == [("north", "clock"), ("south", "clock")]


def test_each_site_closes_its_own_night_to_zero_with_its_own_archive_report_and_mail(context, frames, night):
    written = {instrument: frames(instrument) for instrument in PLACES}
    manifests = [
        frames.manifest("north", [written["north_wide"], written["north_single"]]),
        frames.manifest("south", [written["south_wide"]]),
    ]
    ingest_all(context, [*written.values(), *manifests])
    assert closing_due(context) == [("north", "manifest"), ("south", "manifest")]
    night.later(seconds=300)
    for request in night.due("exposure"):
        night.run(request)
    pages, mails = [], []
    for site, frames_sent in (("north", 2), ("south", 1)):
        own = context.of_site(site)
        begin_closing(own, NIGHT, signal="manifest")
        books = account(own, NIGHT)
        assert books.closes, books.imbalances
        assert books.sent.total == frames_sent
        archive(own, NIGHT)
        assert verify(own, NIGHT).good
        pages.append(write_report(own, NIGHT).page)
        mails.append(message_id(own.deployment, NIGHT))
        assert close(own, NIGHT) is NightState.CLOSED
        assert [row["state"] for row in table(context, "nights")].count("closed") == len(pages)
    assert len({*pages, *mails}) == 4
    assert "north" in str(pages[0]) and "south" in str(pages[1])


def test_the_report_of_a_site_with_two_cameras_has_rows_and_a_timeline_of_each_with_its_own_pixel_scale(
    context, frames, night
):
    ingest_all(context, [frames(instrument) for instrument in PLACES])
    night.later(seconds=300)
    for request in night.due("exposure"):
        night.run(request)
    report = write_report(with_pixel_scale(context.of_site("north"), "north_single", 0.5), NIGHT)
    lines = report.text.split("IMAGE QUALITY")[1].split("STARS AND DETECTORS")[0].splitlines()
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
    widths = [row for row in cells if row[0] == "FWHM (arcsec) 10/50/90 %"]
    assert {row[1]: row[3] for row in widths} == {
        "north_single": "1.20 / 1.20 / 1.20",
        "north_wide": "2.40 / 2.40 / 2.40",
    }
    named = {picture.name: picture for picture in report.pictures if picture.leads}
    assert list(named) == ["timeline_north_single", "timeline_north_wide"]
    page = report.page.read_text()
    for camera in ("north_single", "north_wide"):
        assert f"The night in time: {camera}" in page and f'src="timeline_{camera}.png"' in page
        assert "of 1 exposures against UTC" in named[f"timeline_{camera}"].description
        assert f"{camera}: Shutter open 100 %" in " ".join(report.text.split())
    assert "100 % / 100 % shutter open: north_single / north_wide" in report.text
    assert "south_wide" not in report.text
    at_a_glance = report.text.split("CAMERA BY CAMERA")[1].split("SCIENCE EXPOSURES")[0].splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in at_a_glance if line.strip()]
    assert ["north_single", "north_wide"] in rows
    assert ["FWHM (arcsec)", "1.20", "2.40"] in rows
    (other,) = [line.split() for line in report.text.splitlines() if line.startswith("  south ")]
    assert other[:4] == ["south", "open", "1", "0"]


def with_pixel_scale(context, instrument, arcsec):
    """Return the context with another pixel scale of one instrument."""
    survey = context.deployment.survey_of(instrument)
    camera = survey.camera.model_copy(update={"pixel_scale_arcsec": arcsec})
    changed = survey.model_copy(update={"camera": camera})
    surveys = [changed if own is survey else own for own in context.deployment.surveys]
    return replace(context, deployment=context.deployment.with_surveys(surveys))


def table(context, name):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(f"select * from {name} order by 1, 2")
        return [dict(row) for row in cursor.fetchall()]
