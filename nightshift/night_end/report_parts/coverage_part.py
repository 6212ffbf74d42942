"""How deep the sky was seen, in the night and in all nights."""

from datetime import date

from nightshift.context import Context
from nightshift.coverage.coverage_report import TITLES, coverage_of_report
from nightshift.night_end.report_drawing import WIDTH_PX
from nightshift.night_end.report_elements import EXPOSURES, Picture, Section, columns
from nightshift.night_end.report_parts import ReportPart, report_part

__all__ = ["coverage"]


@report_part("Coverage of the sky", rank=20, after=EXPOSURES)
def coverage(context: Context, night: date) -> ReportPart | None:
    """Return a row a camera and filter, and pictures; nothing of a night that has no map."""
    found = coverage_of_report(context, night)
    if not found.rows:
        return None
    pictures = tuple(
        Picture(each.name, each.title, each.description, each.png, width=WIDTH_PX)
        for each in found.pictures
        if not each.of_all or not found.is_first
    )
    table = Section(
        "Coverage of the sky", columns(*TITLES), found.rows,
        "The limit is that of a point source at 5 sigma: tonight's frames together, and all nights' together.",
    )  # fmt: skip
    drawn = tuple(Section(each.title, (), (), picture=each.name) for each in pictures)
    return ReportPart((table, *drawn), pictures)
