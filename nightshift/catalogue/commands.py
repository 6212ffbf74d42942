"""The command ``nightshift catalogue``."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.catalogue.prepare import Prepared
    from nightshift.settings import Field, Survey

__all__ = ["register"]

SHOWN = 3  # stars


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
    prepare.add_argument("--field", type=int, required=True, help="its id in the survey's fields.toml")
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
    field = survey.field(options.field)
    if field is None:
        known = ", ".join(str(f.id) for f in survey.sky.fields) or "none"
        raise CatalogueError(f"survey {survey.name} has no field {options.field} in fields.toml; there are: {known}")
    request = Request(
        options.table, dict(options.column), options.epoch, options.to_epoch, options.radius, tuple(options.missing)
    )
    target = _target(options, survey, field)
    made = prepare(survey, field, request)
    for line in _said(made, options, survey):
        print(line)
    if options.dry_run:
        print(f"would write {len(made.table)} stars to {target}")
    else:
        made.write(target)
        print(f"wrote {len(made.table)} stars to {target}")
    advice = _advice(target.resolve(), catalogue_folder(survey).resolve(), field)
    if advice:
        print(advice)
    return 0


def _advice(target: Path, folder: Path, field: "Field") -> str:
    """Return what is left to do until nights use the catalogue; nothing where they do."""
    inside = target.relative_to(folder).as_posix() if target.is_relative_to(folder) else ""
    name = inside or str(field.catalogue or target.name)
    steps = [] if inside else [f"copy it to {folder / name}"]
    if field.catalogue is None or str(field.catalogue) != name:
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
    return catalogue_folder(survey) / (field.catalogue or f"field{field.id:06}.fits")


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
