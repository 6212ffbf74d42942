"""How the report writes its words, numbers and tables."""

import textwrap
from collections.abc import Iterable, Sequence

from nightshift.night_end.report_elements import Section

__all__ = [
    "duration",
    "number",
    "percent",
    "percent_of",
    "plain",
    "shortened",
    "size",
    "sparkline",
    "text_table",
    "wrapped",
]

MOST_ROWS = 40  # of one table in a mail; how many more there are is said
CELL = 90  # characters of a cell of the text's tables, at most
TEXT_WIDTH = 110  # characters of a line of the text's sentences
MINUS = "−"
BARS, NO_BAR = "▁▂▃▄▅▆▇█", "·"


def plain(text: object, most: int = 120) -> str:
    """Return text that shows on one line: what does not print is escaped, and the middle of a long one is left out.

    File names come from outside: a line end, an escape sequence or a mark that turns the direction of writing
    must not change how the report reads.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    if len(shown) <= most:
        return shown
    half = (most - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}"


def wrapped(text: str) -> str:
    """Return sentences in lines that a mail program shows whole, two spaces in."""
    return textwrap.fill(
        text, TEXT_WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def text_table(section: Section) -> str:
    """Return a section's table in fixed-width columns, two spaces in."""
    table = [tuple(c.title for c in section.columns), *(tuple(plain(c, CELL) for c in row) for row in section.rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(section.columns))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if column.align == "right" else cell.ljust(width)
            for cell, width, column in zip(row, widths, section.columns, strict=True)
        ]
        return ("  " + "  ".join(cells)).rstrip()

    return "\n".join([line(table[0]), "  " + "  ".join("-" * w for w in widths), *map(line, table[1:])])


def number(value: float | None, digits: int = 2) -> str:
    """Return a measurement, or a dash where there is none."""
    return "—" if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def percent(fraction: float | None) -> str:
    """Return a share of pixels, or a dash where there is none."""
    if fraction is None:
        return "—"
    if 0 < fraction < 1e-4:
        return "< 0.01 %"
    return f"{100 * fraction:.0f} %" if fraction >= 0.1 else f"{100 * fraction:.2g} %"


def percent_of(share: float | None) -> str:
    """Return a share to a tenth of a percent, or a dash where there is none."""
    return "—" if share is None else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Return a time span as a human says it."""
    if seconds is None:
        return "—"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def sparkline(values: Sequence[float | None]) -> str:
    """Return a bar a value, as high as it lies between the least and the most of them; a dot where there is none."""
    known = [value for value in values if value is not None]
    least, span = (min(known), max(known) - min(known)) if known else (0.0, 0.0)

    def bar(value: float | None) -> str:
        if value is None:
            return NO_BAR
        return BARS[round((value - least) / span * (len(BARS) - 1))] if span else BARS[len(BARS) // 2 - 1]

    return "".join(map(bar, values))


def size(number_of_bytes: float) -> str:
    """Return a size in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if number_of_bytes < 1000:
            return f"{number_of_bytes:.0f} {unit}" if unit == "B" else f"{number_of_bytes:.1f} {unit}"
        number_of_bytes /= 1000
    return f"{number_of_bytes:.2f} TB"


def shortened(rows: Iterable[tuple[str, ...]], width: int, most: int = MOST_ROWS) -> list[tuple[str, ...]]:
    """Cut a table where it would be longer than anybody reads, and say so."""
    listed = list(rows)
    if len(listed) <= most:
        return listed
    return [*listed[:most], (f"… and {len(listed) - most} more", *[""] * (width - 1))]
