"""The command ``nightshift catalogue``."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.catalogue.prepare import Prepared, Request
    from nightshift.settings import Field, Survey

__all__ = ["register"]

SHOWN = 3  # stars
SHOWN_FIELDS = 20


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``catalogue`` to the command line's subparsers."""
    parser = subparsers.add_parser("catalogue", help="make a field's catalogue of calibrators from a table of stars")
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True)
    prepare = actions.add_parser(
        "prepare",
        help="take a field's stars out of a table, check them, and write what the reduction reads",
        description="Reads FITS, Parquet, CSV or ECSV; writes FITS, or Parquet where the output's name ends so. "
        "Roles of columns: ra, dec, mag_<filter>; and where places are brought to another epoch, pm_ra (cosine of "
        "the declination in it), pm_dec, epoch. One without a unit is taken in deg, mag, mas/yr, Julian years.",
    )
    prepare.add_argument("table", type=Path, help="your table of stars")
    default = os.environ.get("NIGHTSHIFT_SURVEY", "demo")
    prepare.add_argument("--survey", default=default, help="or NIGHTSHIFT_SURVEY (default: %(default)s)")
    which = prepare.add_mutually_exclusive_group(required=True)
    which.add_argument("--field", type=int, help="its id in the survey's fields.toml")
    which.add_argument(
        "--all-fields", action="store_true", help="every field of the survey that the table has stars of"
    )
    prepare.add_argument(
        "--column", action="append", default=[], metavar="ROLE=NAME", type=_assignment,
        help="such as ra=RAJ2000 or mag_r=rmag; a role's own name needs none; may be given again",
    )  # fmt: skip
    prepare.add_argument("--epoch", type=float, help="Julian year of the table's places, such as 2016.0")
    prepare.add_argument("--to-epoch", type=float, help="Julian year to bring them to, by their proper motions")
    prepare.add_argument(
        "--radius", type=float, metavar="DEG",
        help="around the field's centre, above 0 (default: what the camera sees of the field)",
    )  # fmt: skip
    prepare.add_argument(
        "--missing", action="append", default=[], type=float, metavar="NUMBER",
        help="a number that stands for no value, such as 99; may be given again (--missing=-999)",
    )  # fmt: skip
    prepare.add_argument(
        "--output", type=Path, metavar="FILE",
        help="where to write it: FILE.fits or FILE.parquet (default: in the folder `catalogues` of the survey's "
        "settings, by the name that the field has in fields.toml; a night takes catalogues from there only)",
    )  # fmt: skip
    prepare.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    prepare.set_defaults(run=_prepare)
    place = actions.add_parser(
        "place",
        help="copy the catalogues of a survey's settings into its depot, as `nightshift up` does by itself",
    )
    place.add_argument("--survey", default=default, help="or NIGHTSHIFT_SURVEY (default: %(default)s)")
    place.set_defaults(run=_place)
    _register_fields(subparsers)


def _register_fields(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("fields", help="the fields of a survey: take a published list of them in")
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True)
    take = actions.add_parser(
        "import", help="write the table of fields that the settings read",
        description="Reads FITS, Parquet, CSV, ECSV, or text with columns set apart by blanks. Roles of columns: id, "
        "ra_deg, dec_deg (ICRS degrees), name; a column is named, or numbered from 1.",
    )  # fmt: skip
    take.add_argument("list", type=Path, help="the list")
    take.add_argument(
        "--survey", default=os.environ.get("NIGHTSHIFT_SURVEY", "demo"), help="or NIGHTSHIFT_SURVEY (%(default)s)"
    )
    take.add_argument(
        "--column", action="append", default=[], metavar="ROLE=NAME", type=_assignment,
        help="such as id=FieldNum, or ra_deg=2; a role's own name needs none; may be given again",
    )  # fmt: skip
    take.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    take.add_argument("--replace", action="store_true", help="write the table anew where it is there already")
    take.set_defaults(run=_import_fields)


def _import_fields(options: argparse.Namespace) -> int:
    from nightshift.catalogue.field_list import read_list
    from nightshift.settings import SettingsError
    from nightshift.settings.loader import fields_table_of

    found = read_list(options.list, dict(options.column))
    folder, table = fields_table_of(options.survey)
    target = folder / (table or "fields.csv")
    print(
        f"{len(found.ids)} fields, {found.ids.min()} to {found.ids.max()}, declinations {found.dec_deg.min():+.1f} "
        f"to {found.dec_deg.max():+.1f} deg"
    )
    if target.suffix != ".csv":
        raise SettingsError(f"fields_table = {table!r} is no CSV, which is what is written: name one in fields.toml")
    if target.exists() and not options.replace:
        raise SettingsError(f"{target} is there already; --replace writes it anew")
    if options.dry_run:
        print(f"would write {target}")
        return 0
    found.write(target)
    print(f"wrote {target}")
    if table is None:
        print(f'for nights to use it: write  fields_table = "{target.name}"  below [sky] in fields.toml')
    return 0


def _place(options: argparse.Namespace) -> int:
    from nightshift.catalogue.folder import place_catalogues
    from nightshift.depot import Depot
    from nightshift.settings import load_deployment

    depot = Depot.from_environment()
    placed = [path for survey in load_deployment(options.survey).surveys for path in place_catalogues(survey, depot)]
    for path in placed:
        print(path)
    print(f"{len(placed)} catalogues are new in the depot")
    return 0


def _assignment(text: str) -> tuple[str, str]:
    role, equals, name = text.partition("=")
    if not equals or not role or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROLE=NAME")
    return role, name


def _prepare(options: argparse.Namespace) -> int:
    from nightshift.catalogue.folder import catalogue_folder
    from nightshift.catalogue.prepare import Request, prepare
    from nightshift.catalogue.star_table import CatalogueError
    from nightshift.settings import load_survey

    survey = load_survey(options.survey)
    request = Request(
        options.table, dict(options.column), options.epoch, options.to_epoch, options.radius, tuple(options.missing)
    )
    if options.all_fields:
        return _prepare_all(survey, request, options)
    field = survey.field(options.field)
    if field is None:
        known = ", ".join(str(f.id) for f in survey.sky.fields[:SHOWN_FIELDS]) or "none"
        more = f" and {len(survey.sky.fields) - SHOWN_FIELDS} more" if len(survey.sky.fields) > SHOWN_FIELDS else ""
        raise CatalogueError(f"survey {survey.name} has no field {options.field}; there are: {known}{more}")
    target = _target(options, survey, field)
    made = prepare(survey, field, request)
    for line in _said(made, options, survey):
        print(line)
    if options.dry_run:
        print(f"would write {len(made.table)} stars to {target}")
    else:
        made.write(target)
        print(f"wrote {len(made.table)} stars to {target}")
    advice = _advice(target.resolve(), catalogue_folder(survey).resolve(), survey, field)
    if advice:
        print(advice)
    return 0


def _prepare_all(survey: "Survey", request: "Request", options: argparse.Namespace) -> int:
    """Make the catalogue of every field that the table has stars of; return 1 where it has of none."""
    from nightshift.catalogue.prepare import NoStars, prepare
    from nightshift.catalogue.star_table import CatalogueError, read_table

    if options.output is not None:
        raise CatalogueError("--output names one file: leave it out with --all-fields")
    table = read_table(request.path, request.missing)
    made, lacking, unnamed = 0, 0, 0
    for number, field in enumerate(survey.sky.fields, start=1):
        try:
            catalogue = prepare(survey, field, request, table)
        except NoStars:
            lacking += 1
            continue
        target = _target(options, survey, field)
        if not options.dry_run:
            catalogue.write(target)
        made += 1
        unnamed += survey.catalogue_of(field.id) is None
        print(f"[{number}/{len(survey.sky.fields)}] {len(catalogue.table)} stars: {target}", flush=True)
    print(
        f"{made} catalogues {'would be ' if options.dry_run else ''}made; {lacking} fields have no star in the table"
    )
    if unnamed:
        print('for nights to use them: write  catalogue = "field{field:06d}.fits"  below [sky] in fields.toml')
    return 0 if made else 1


def _advice(target: Path, folder: Path, survey: "Survey", field: "Field") -> str:
    """Return what is left to do until nights use the catalogue; nothing where they do."""
    inside = target.relative_to(folder).as_posix() if target.is_relative_to(folder) else ""
    named = survey.catalogue_of(field.id)
    name = inside or str(named or target.name)
    steps = [] if inside else [f"copy it to {folder / name}"]
    if str(named) != name:
        steps.append(f'give field {field.id} in fields.toml  catalogue = "{name}"')
    return f"for nights to use it: {'; '.join(steps)}" if steps else ""


def _target(options: argparse.Namespace, survey: "Survey", field: "Field") -> Path:
    from nightshift.catalogue.folder import catalogue_folder
    from nightshift.catalogue.star_table import CatalogueError

    output: Path | None = options.output
    if output is not None:
        if output.suffix not in (".fits", ".parquet"):
            raise CatalogueError(f"{output}: a catalogue's name ends with .fits or .parquet")
        return output
    return catalogue_folder(survey) / (survey.catalogue_of(field.id) or f"field{field.id:06}.fits")


def _said(made: "Prepared", options: argparse.Namespace, survey: "Survey") -> list[str]:
    """Return what a person wants to know before it is written."""
    import numpy as np

    lines = [f"{options.table}: {made.rows} rows, {made.outside} farther than {made.radius_deg:.2f} degrees off"]
    lines += [f"  {role:<8} column {column} ({unit})" for role, (column, unit) in made.columns.items()]
    if made.motion_arcsec is not None:
        moved = f'  places were brought to {options.to_epoch:.2f}, by {made.motion_arcsec:.3f}" in the median'
        lines.append(f"{moved}; {made.without_motion} stars have no proper motion and stayed")
    if made.without_magnitude:
        lines.append(f"  {made.without_magnitude} stars without any magnitude are left out")
    for name in made.table.colnames[2:]:
        values = np.asarray(made.table[name])
        known = values[np.isfinite(values)]
        span = f", {known.min():.2f} to {known.max():.2f}" if len(known) else ""
        lines.append(f"  {name:<8} {len(known)} of {len(values)} stars{span}")
    lacking = [f.name for f in survey.sky.filters if f"mag_{f.name}" not in made.table.colnames]
    lines += [
        f"  mag_{name:<4} has no column: frames in filter {name} cannot be calibrated by it" for name in lacking
    ]
    return lines + [f"  {line}" for line in made.table[:SHOWN].pformat(show_unit=True)]
