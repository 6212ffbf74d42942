"""Parts of the report that other packages bring: shown in their order, and a failing one harms nothing else."""

import pytest
from night_rows import NIGHT

from nightshift.night_end import report_parts
from nightshift.night_end.report import write_report
from nightshift.night_end.report_elements import Need, Section, columns
from nightshift.night_end.report_parts import ReportPart, report_part

pytestmark = pytest.mark.integration


@pytest.fixture
def registry(monkeypatch):
    """A registry of this test alone."""
    assert list(report_parts._unread_modules()) == []  # what ships is read before the registry is emptied
    monkeypatch.setattr(report_parts, "_REGISTERED", {})


def titles_of(report):
    return [line for line in report.text.splitlines() if line and line == line.upper() and not line.startswith(" ")]


def test_parts_stand_in_the_order_of_their_ranks_before_the_archive(context, night, registry):
    @report_part("Later", rank=20)
    def later(context, night):
        return ReportPart((Section("Later", columns("What", ">Number"), [("files", "7")], "Said above."),))

    @report_part("Sooner", rank=10)
    def sooner(context, night):
        need = Need("A disk is nearly full.", "Free some space.", "df -h", section="Sooner")
        return ReportPart((Section("Sooner", (), [], "Only a note."),), needs=(need,))

    @report_part("Nothing", rank=1)
    def nothing(context, night):
        return None

    night.science(1)
    night.manifest()
    report = write_report(context, NIGHT)
    assert [t for t in titles_of(report) if t in ("SOONER", "LATER", "ARCHIVE", "NOTHING")] == [
        "SOONER", "LATER", "ARCHIVE",
    ]  # fmt: skip
    assert "A disk is nearly full. Free some space." in report.text and "df -h" in report.text
    page = report.page.read_text()
    assert 'href="#sooner"' in page and 'id="sooner"' in page and "files" in page


def test_a_part_that_fails_is_named_and_the_report_is_whole(context, night, registry):
    @report_part("Broken", rank=10)
    def broken(context, night):
        context.ledger.rows("night_end", "no_such_query")

    @report_part("Sound", rank=20)
    def sound(context, night):
        return ReportPart((Section("Sound", (), [], "All is well."),))

    night.science(1)
    night.manifest()
    report = write_report(context, NIGHT)
    assert "This part could not be made: AttributeError" in report.text and "All is well." in report.text
    assert any(need.sentence.startswith("The report lacks its part Broken") for need in report.facts.needs)
    assert "SCIENCE EXPOSURES" in report.text


def test_two_parts_of_one_title_are_refused(registry):
    report_part("Disks", rank=1)(lambda context, night: None)
    with pytest.raises(ValueError, match="two parts of the report are called 'Disks'"):
        report_part("Disks", rank=2)(lambda context, night: None)


def test_the_parts_that_ship_are_read_and_made(context, night):
    night.science(1)
    night.manifest()
    report = write_report(context, NIGHT)
    assert "AGES OF THE MASTERS" in report.text and "lacks its part" not in report.text
