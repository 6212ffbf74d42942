"""What the parts of the report say, of rows put straight into the ledger; and the page as programs show it."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from night_rows import CAMERA, FIRST, NIGHT

from nightshift.night_end.report import fitting, render_page, write_report
from nightshift.night_end.report_elements import anchor_of
from nightshift.night_end.report_sections import sections_of
from nightshift.vocabulary import EventLevel

pytestmark = pytest.mark.integration


def section_of(report, title):
    (section,) = [section for section in sections_of(report.facts) if section.title == title]
    return section


def earlier_night(night, days, quality):
    """One measured unit of a night before."""
    day, exposure = NIGHT - timedelta(days=days), f"{900 + days:014d}"
    begins = FIRST - timedelta(days=days, hours=8)
    night.insert("nights", site=night.site, night=day, begins=begins, ends=begins + timedelta(days=1), state="closed")
    night.insert(
        "exposures", instrument=CAMERA, exposure_id=exposure, site=night.site, night=day, ut_day=day,
        image_type="science", field=101, filter="g", exposure_s=30.0, shutter_open=FIRST - timedelta(days=days),
        detectors_expected=[1, 2], state="ended",
    )  # fmt: skip
    key = f"{CAMERA}/{exposure}/d01/q1/processed/live"
    night.insert(
        "units", instrument=CAMERA, exposure_id=exposure, detector=1, quadrant=1, night=day, unit_key=key,
        state="processed", ended_at=FIRST,
    )  # fmt: skip
    night.context.ledger.run(
        "science", "put_measurements", unit_key=key, instrument=CAMERA, exposure_id=exposure, detector=1, quadrant=1,
        good=True, warnings=[], corners_deg=None, names=list(quality), numbers=list(quality.values()),
    )  # fmt: skip


def test_tonight_is_set_against_the_nights_before_and_against_no_more_than_the_settings_say(context, filled):
    for days in range(1, 17):
        earlier_night(filled, days, {"fwhm_px": 1.5 + days / 100, "limiting_magnitude": 20.0 if days % 2 else 21.0})
    earlier_night(filled, 200, {"fwhm_px": 99.0})
    report = write_report(context, NIGHT)
    (camera,) = report.facts.cameras
    assert camera.nights_before == tuple(NIGHT - timedelta(days=days) for days in range(14, 0, -1))
    rows = {row[0]: row for row in section_of(report, "Image quality").rows}
    _, _, tonight, bars, usual, verdict = rows["FWHM (arcsec) 10/50/90 %"]
    assert (tonight, bars, usual, verdict) == ("2.30 / 2.30 / 2.30", "▂▂▂▂▂▂▂▂▁▁▁▁▁▁█", "1.58", "highest")
    assert verdict.tone == "warn"
    _, _, tonight, bars, usual, verdict = rows["Limit (mag) 10/50/90 %"]
    assert (usual, verdict, len(bars), bars[-1]) == ("20.50", "", 15, "▅")
    assert "median of the 14 nights before" in section_of(report, "Image quality").note


def test_alerts_are_told_by_percentile_and_the_slowest_with_what_took_its_time(context, filled):
    report = write_report(context, NIGHT)
    (row,) = section_of(report, "From the last file to the alert").rows
    assert row == ("of fields with a reference", "3", "8.2 s", "8.4 s", "8.4 s", "8.4 s")
    slowest = section_of(report, "The slowest alerts").rows
    assert [cells[0] for cells in slowest] == [f"{1:014d}", f"{3:014d}"]
    assert "posting" in slowest[0][3] and slowest[0][2] == "8.4 s"
    filled.query(
        "update exposures set last_arrival_at = shutter_open + interval '40 s', first_arrival_at = shutter_open"
    )
    report = write_report(context, NIGHT)
    assert report.facts.live
    assert section_of(report, "From the shutter to the alert").note.startswith("From the closing of the shutter")


def test_failures_of_astrometry_are_told_by_cause_with_the_first_few_named(context, filled):
    for quadrant, stars in ((1, 12), (2, 7)):
        filled.frame(20 + quadrant)
        filled.unit(
            20 + quadrant, 1, quadrant, state="rejected", reason="astrometry_failed",
            detail=f"{stars} of 240 stars match 310 entries",
        )  # fmt: skip
    filled.frame(25)
    filled.unit(25, state="rejected", reason="astrometry_failed", detail="no blind solution from 41 sources")
    section = section_of(write_report(context, NIGHT), "Astrometric failures")
    assert [(row[1], row[2]) for row in section.rows] == [
        ("2", "12 of 240 stars match 310 entries"), ("1", "no blind solution from 41 sources"),
    ]  # fmt: skip
    assert section.rows[0][3] == f"{CAMERA}/{21:014d}/d01/q1, {CAMERA}/{22:014d}/d01/q2"


def test_products_are_counted_by_kind_with_the_sources_that_were_extracted(context, filled):
    filled.unit(2, 1, 1)
    section = section_of(write_report(context, NIGHT), "Products and sources")
    assert {row[0]: row[1] for row in section.rows} == {"reference": "1", "cutouts": "2"}
    assert section.note.startswith("0 sources were extracted")


class Page(HTMLParser):
    """What of a page may be fetched, seen, or missed."""

    def __init__(self, text):
        super().__init__()
        self.images, self.fetched, self.links, self.ids, self.unstyled = [], [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "img":
            self.images.append(given)
        self.fetched += [given[name] for name in ("src", "srcset", "background", "data") if name in given]
        if tag in ("link", "script", "iframe", "object"):
            self.fetched.append(tag)
        if tag == "a":
            self.links.append(given["href"])
        if "id" in given:
            self.ids.add(given["id"])
        if {"ink", "faint", "ground", "behind", "code", "good", "warn", "bad"} & set(given.get("class", "").split()):
            style = given.get("style", "")
            if "color" not in style and "background" not in style and given.get("class") != "line":
                self.unstyled.append((tag, given))


def test_the_page_fetches_nothing_describes_its_pictures_and_keeps_its_colours_without_style_sheets(context, filled):
    report = write_report(context, NIGHT)
    text = report.page.read_text()
    page = Page(text)
    assert all("/" not in source for source in page.fetched) and len(page.fetched) == len(report.pictures)
    assert "url(" not in text and "@import" not in text
    assert all(image["alt"].strip() and "max-width" in image["style"] for image in page.images)
    assert page.unstyled == []
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text


def test_every_link_of_the_page_leads_somewhere_and_by_the_settings_to_where_the_pages_are(context, filled):
    filled.query("update units set state = 'running', ended_at = null, reason = null where quadrant = 2")
    context.ledger.event(EventLevel.PAGE, "array_refused", "SLURM refuses it.", night_time=FIRST)
    report = write_report(context, NIGHT)
    page = Page(report.page.read_text())
    assert report.facts.needs and all(need.command and need.section for need in report.facts.needs)
    assert page.links and {link.removeprefix("#") for link in page.links} <= page.ids
    titles = {anchor_of(section.title) for section in sections_of(report.facts)} | {"the-books"}
    assert all(anchor_of(need.section) in titles for need in report.facts.needs if need.section)
    survey = context.survey
    served = survey.report.model_copy(
        update={"page_url": "https://night.example.org/reports", "airflow_url": "https://night.example.org/airflow"}
    )
    report = write_report(context.with_survey(survey.model_copy(update={"report": served})), NIGHT)
    links = Page(report.page.read_text()).links
    assert "https://night.example.org/reports/20260115/report.html#the-books" in links
    assert "https://night.example.org/airflow/dags/end_of_night" in links
    assert "$ nightshift account 20260115" in report.text
    assert "The books: https://night.example.org/reports/20260115/report.html#the-books" in report.text


def test_a_picture_that_the_mail_has_no_room_for_is_described_in_its_place(context, filled):
    report = write_report(context, NIGHT)
    kept = fitting(report.pictures, 0, len(report.pictures[0].png) * 1.5e-6)
    assert [picture.name for picture in kept] == ["timeline"]
    page = render_page(report.facts, report.pictures, {picture.name: f"cid:{picture.name}" for picture in kept})
    assert [image["src"] for image in Page(page).images] == ["cid:timeline"]
    assert "The night on the sky: this picture was left to the page" in page


def test_a_night_of_one_exposure_is_drawn_over_an_hour(context, night):
    night.science(1)
    night.manifest()
    report = write_report(context, NIGHT)
    timeline = report.pictures[0]
    assert timeline.name == "timeline" and "of 1 exposures against UTC" in timeline.description
    assert re.search(r"Shutter open 100 %", report.text)
