"""The page itself: one HTML file with everything in it."""

import base64

import jinja2

from nightshift.inspect.difference_page import draw_difference
from nightshift.inspect.measured import named, said
from nightshift.inspect.pixel_pictures import Picture, draw, draw_master, draw_reference, taken
from nightshift.inspect.products_at_hand import MASTERS, Inspected
from nightshift.vocabulary import Reason, measurement_named

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
        for p in _pictures(unit)
    ]
    tables = {
        title: {named(name): said(name, value) + _relative(unit, name) for name, value in table.items()}
        for title, table in (("measured", unit.measurements), ("of the difference", unit.difference))
        if table
    }
    return environment.get_template("page.html.j2").render(
        unit=unit, taken=taken(unit.files), pictures=pictures, tables=tables
    )


def _relative(unit: Inspected, name: str) -> str:
    """Return what stands behind a number that only a catalogue could make absolute, where there was none."""
    measurement = measurement_named(name)
    relative = measurement is not None and measurement.absolute and Reason.OWN_CATALOGUE in unit.flags
    return " (relative to the field's own first frame)" if relative else ""


def _pictures(unit: Inspected) -> list[Picture]:
    masters = [draw_master(unit.files[kind], kind) for kind in MASTERS if kind in unit.files]
    if masters:
        return masters[0]
    own = draw_reference(unit.files["reference"]) if unit.key.startswith("reference/") else []
    return [*draw(unit.files), *draw_difference(unit.files, unit.candidates), *own]
