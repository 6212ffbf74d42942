"""The page itself: one HTML file with everything in it."""

import base64
from typing import Any

import jinja2

from nightshift.inspect.difference import draw_difference
from nightshift.inspect.gather import Inspected
from nightshift.inspect.pictures import draw

__all__ = ["page_of"]


def page_of(unit: Inspected) -> str:
    """Return the page of a unit as HTML that needs no other file."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nightshift.inspect", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    pictures = [
        {"title": p.title, "description": p.description, "data": base64.b64encode(p.png).decode(), "wide": p.wide}
        for p in (*draw(unit.files), *draw_difference(unit.files, unit.candidates))
    ]
    tables = {"measured": unit.measurements, "of the difference": unit.difference}
    said = {
        title: {name.replace("_", " "): _said(value) for name, value in table.items()}
        for title, table in tables.items()
        if table
    }
    return environment.get_template("page.html.j2").render(unit=unit, pictures=pictures, tables=said)


def _said(value: Any) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
