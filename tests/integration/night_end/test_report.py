"""The morning's mail, through a real mail server and parsed back."""

import email
import email.policy
import json
import re
from html.parser import HTMLParser

import pytest
from night_rows import NIGHT

from nightshift.archive.night_archive import archive, verify
from nightshift.errors import Retry
from nightshift.night_end.accounts import account
from nightshift.night_end.close import begin_closing
from nightshift.night_end.mail import MailServer
from nightshift.night_end.report import send_report, write_report
from nightshift.night_end.report_sections import sections_of
from nightshift.vocabulary import EventLevel

pytestmark = pytest.mark.integration


class Images(HTMLParser):
    """The addresses of the images of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.sources.append(dict(attributes)["src"])


def mails(folder):
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(folder.glob("*"))
    ]


def test_the_mail_has_a_text_a_page_and_pictures_that_the_page_shows(context, filled, sink):
    server, folder = sink
    send_report(context, NIGHT, server=server)
    (mail,) = mails(folder)
    assert len(bytes(mail)) < 2e6
    assert mail["Subject"] == "2026-01-15 demo: closed"
    assert mail["To"] == "operator@localhost"
    text = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert text.startswith("The night closed to zero.\nNothing needs you.")
    page = mail.get_body(("html",)).get_content()
    pictures = {p["Content-ID"].strip("<>"): p for p in mail.walk() if p.get_content_maintype() == "image"}
    shown = [source.removeprefix("cid:") for source in Images(page).sources]
    assert sorted(shown) == sorted(pictures) and len(shown) == 4
    assert all(p.get_content()[:8] == b"\x89PNG\r\n\x1a\n" for p in pictures.values())
    assert "The stars are too wide." in page and "The stars are too wide." in text


def rows_of(report, title):
    (section,) = [s for s in sections_of(report.facts) if s.title == title]
    return section, {row[0]: tuple(row[1:]) for row in section.rows}


def test_the_report_says_what_was_measured_of_stars_and_detectors_and_what_warned(context, filled):
    report = write_report(context, NIGHT)
    section, rows = rows_of(report, "Stars and detectors")
    assert [column.title for column in section.columns][:3] == ["Measurement", "Filter", "Tonight"]
    assert {name: row[:2] for name, row in rows.items()} == {
        "Saturated": ("g", "0.012 %"), "Read noise / set": ("g", "1.02 / 1.02"),
        "Pattern noise": ("g", "0.034 / 0.034"), "Pointing off (arcsec)": ("g", "— / —"),
        "Stars matched": ("g", "412"), "Zero point above the air (mag)": ("g", "23.21"),
        "Colour term": ("g", "−0.041"), "Masked": ("g", "—"), "Cosmic-ray pixels": ("g", "—"),
        "With a trail": ("g", "2"),
    }  # fmt: skip
    assert "outside of the bounds that warn: FWHM (2), pattern noise (2)." in " ".join(report.text.split())
    assert "No night before to compare with." in section.note


def test_the_report_says_what_share_of_sources_put_in_was_found_and_how_sure_that_is(context, filled):
    report = write_report(context, NIGHT)
    assert "No quadrant was sampled" in report.text
    assert "completeness" not in {picture.name for picture in report.pictures}
    counts = {"injected_snr5_6": 10, "recovered_snr5_6": 5, "injected_snr6_8": 0, "recovered_snr6_8": 0,
              "injected_snr8_up": 12, "recovered_snr8_up": 12}  # fmt: skip
    filled.query(
        "update differences set quality = %s where unit_key in (select min(unit_key) from differences) returning 1",
        json.dumps(counts),
    )
    report = write_report(context, NIGHT)
    rows = [re.split(r"\s{2,}", line.strip()) for line in report.text.split("COMPLETENESS")[1].splitlines()]
    assert ["5 to 6", "10", "5", "50.0 %", "24–76 %"] in rows
    assert ["6 to 8", "0", "0", "—", "—"] in rows
    assert ["8 and more", "12", "12", "100.0 %", "76–100 %"] in rows
    assert "New sources were put into 1 quadrant," in report.text
    page = report.page.read_text()
    assert "completeness.png" in page and (report.page.parent / "completeness.png").exists()


def test_a_second_send_changes_nothing(context, filled, sink):
    server, folder = sink
    send_report(context, NIGHT, server=server)
    before = filled.query("select * from reports"), filled.query("select * from events")
    send_report(context, NIGHT, server=server)
    assert (filled.query("select * from reports"), filled.query("select * from events")) == before
    assert len(mails(folder)) == 1


def test_a_correction_is_a_mail_of_its_own_that_answers_the_first(context, filled, sink):
    server, folder = sink
    send_report(context, NIGHT, server=server)
    send_report(context, NIGHT, server=server, resend=True)
    first, second = mails(folder)
    assert second["In-Reply-To"] == first["Message-ID"] != second["Message-ID"]
    assert second["Subject"].startswith("Corrected: ")


def test_a_night_that_changed_since_its_mail_is_mailed_again_as_a_correction(context, filled, sink):
    server, folder = sink
    send_report(context, NIGHT, server=server)
    filled.query("update units set ended_at = now() where quadrant = 2")
    for _ in range(2):
        send_report(context, NIGHT, server=server)
    assert [mail["Subject"].startswith("Corrected: ") for mail in mails(folder)] == [False, True]


def test_a_mail_server_that_is_away_leaves_the_report_and_the_mail_goes_later(context, filled, sink):
    server, folder = sink
    with pytest.raises(Retry, match="did not take the mail"):
        send_report(context, NIGHT, server=MailServer("127.0.0.1", 9))
    assert context.depot.report(NIGHT, "report.html").exists()
    assert filled.query("select sent_at from reports")[0]["sent_at"] is None
    send_report(context, NIGHT, server=server)
    assert len(mails(folder)) == 1


def test_without_a_mail_server_the_report_is_written_and_the_night_goes_on(context, filled, monkeypatch):
    monkeypatch.delenv("NIGHTSHIFT_SMTP", raising=False)
    assert send_report(context, NIGHT).exists()
    assert filled.query("select kind from events where kind = 'mail_not_sent'")


def test_the_same_ledger_gives_the_same_report(context, filled):
    folder = write_report(context, NIGHT).page.parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_report(context, NIGHT)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert set(before) == {"report.html", "report.txt", "timeline.png", "sky.png", "stamps.png", "products.png"}


def test_hostile_file_names_are_shown_and_do_nothing(context, filled):
    name = "<script>alert(1)</script>\r\nBcc: x@y\x1b[2J\u202e.fits"
    filled.arrival(name, b"x", "quarantined", reason="name_unsafe", detail='"><img src=x onerror=alert(1)>')
    written = write_report(context, NIGHT)
    page = written.page.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\r\\nBcc" in page
    assert "<script" not in page and "\x1b" not in page + written.text and "\u202e" not in page + written.text
    assert sorted(Images(page).sources) == ["products.png", "sky.png", "stamps.png", "timeline.png"]
    assert not re.search(r"^Bcc", written.text, re.MULTILINE)


def test_a_night_that_does_not_close_says_so_in_its_first_line(context, filled, sink):
    server, folder = sink
    filled.query("update units set state = 'running', ended_at = null, reason = null where quadrant = 2")
    send_report(context, NIGHT, server=server)
    (mail,) = mails(folder)
    assert "DOES NOT CLOSE" in mail["Subject"]
    first, second, *_ = mail.get_body(("plain",)).get_content().splitlines()
    assert first == "The night does not close: 1 thing unaccounted for."
    assert "5 still running" in second


def test_a_night_of_which_nothing_came_has_a_report_too(context):
    begin_closing(context, NIGHT, signal="clock")
    written = write_report(context, NIGHT)
    assert "No manifest came" in written.text
    for said in (
        "No file came.",
        "No unit was expected.",
        "No calibration frame was used.",
        "No image was measured.",
    ):
        assert said in written.text
    assert "Every " not in written.text
    assert len(Images(written.page.read_text()).sources) == 2


def second_line(context) -> str:
    account(context, NIGHT)
    archive(context, NIGHT)
    verify(context, NIGHT)
    return write_report(context, NIGHT).text.splitlines()[1]


def test_a_night_of_calibrations_alone_says_that_no_science_was_taken(context, night):
    for number in range(1, 6):
        night.frame(number, image_type="bias")
    night.master("bias", range(1, 6))
    night.manifest()
    assert second_line(context) == "No science exposure was taken. Nothing needs you."


def test_a_night_under_clouds_says_that_nothing_was_processed_and_why(context, night):
    for detector in (1, 2):
        night.frame(1, detector)
        for quadrant in (1, 2):
            night.unit(1, detector, quadrant, state="rejected", reason="too_few_stars")
    night.manifest()
    assert second_line(context) == (
        "None of 4 units was processed, and nothing needs you. Most often: Too few stars to measure by: clouds, a "
        "closed shutter, or an empty field."
    )


def test_a_flag_that_asks_for_a_person_is_among_what_needs_one(context, filled):
    filled.query("update units set flags = %s where state = 'processed'", ["own_catalogue", "calibration_missing"])
    facts = write_report(context, NIGHT).facts
    processed = sum(unit.state == "processed" for unit in facts.flagged)
    (need,) = facts.needs
    assert need.sentence.startswith(
        f"{processed} processed units: No usable master calibration was found. First: democam/"
    )


def test_what_needs_a_human_is_named_once_each(context, night):
    night.science(1)
    night.list(night.name(9, 1), b"x")
    night.alerts(1, [(150.10, 22.20)], night.reference(), state="withheld")
    night.frame(10, 1, listed=False)
    night.unit(10, 1, 1), night.unit(10, 1, 2, state="failed", reason="internal_error")
    night.manifest()
    account(context, NIGHT)
    archive(context, NIGHT)
    verify(context, NIGHT)
    assert [need.sentence for need in write_report(context, NIGHT).facts.needs] == [
        f"1 file: The mountain's manifest names it, and it never arrived. First: {night.name(9)}.",
        "1 unit: The program failed where it should not: a defect to report. "
        f"First: democam/{10:014d}/d01/q2/processed/live.",
        "1 alert withheld: look at them, then release or drop them.",
        f"1 registered file not on the manifest. First: {night.name(10)}.",
    ]


@pytest.mark.parametrize(
    ("begins", "ends", "subject"),
    [
        ("storage_unavailable", "storage_back", "depot"),
        ("detector_silent", "detector_heard", "democam/d02"),
        ("channel_failing", "channel_works", "chat"),
    ],
)
def test_what_is_over_needs_nobody(context, filled, begins, ends, subject):
    def say(level, kind, text):
        context.ledger.event(level, kind, text, subject=subject, night_time=context.clock.now())

    say(EventLevel.PAGE, begins, "The night waits: no room")
    assert any("no room" in need.sentence for need in write_report(context, NIGHT).facts.needs)
    say(EventLevel.INFO, ends, "It is as it was")
    assert write_report(context, NIGHT).facts.needs == []
    say(EventLevel.PAGE, begins, "The night waits: no room")
    assert any("no room" in need.sentence for need in write_report(context, NIGHT).facts.needs)


def test_what_no_catalogue_made_absolute_is_shown_as_relative(context, filled):
    (section,) = [s for s in sections_of(write_report(context, NIGHT).facts) if s.title == "Image quality"]
    assert not any(cell.endswith(" rel.") for row in section.rows for cell in row)
    filled.query("update units set flags = %s where state = 'processed'", ["own_catalogue"])
    (section,) = [s for s in sections_of(write_report(context, NIGHT).facts) if s.title == "Image quality"]
    marked = {row[0] for row in section.rows if any(cell.endswith(" rel.") for cell in row)}
    assert marked == {"Zero point (mag)", "Limit (mag) 10/50/90 %"}
    assert "rel.: calibrated against the field's own first frame" in section.note
