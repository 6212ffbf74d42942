"""The command ``coverage``."""

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.context import Context
    from nightshift.coverage.depth_map import DepthMap
    from nightshift.coverage.map_keys import MapKey

from nightshift.night_end.commands import night_of_text

__all__ = ["register"]

DESCRIPTION = """\
Lists the maps of how often and how deep the sky was seen, of all nights so far or of one, with the place of each
file: HEALPix in FITS, which healpy, astropy-healpix, TOPCAT and Aladin read, and MOCs beside them
(docs/coverage.md). --png draws them. Maps are made at the end of each night; --again makes those of a night again.
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line's subparsers."""
    parser = subparsers.add_parser(
        "coverage",
        help="list or draw the maps of how often and how deep the sky was seen",
        description=DESCRIPTION,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--night", type=night_of_text, help="of one night: the date of its evening, as 20260131 or 2026-01-31"
    )
    which.add_argument("--cumulative", action="store_true", help="of all nights so far (the default)")
    parser.add_argument("--filter", help="of one filter; default: all")
    parser.add_argument("--instrument", help="of one camera; needed for --png where the site has several")
    parser.add_argument("--site", help="whose nights, where the survey has several sites")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw them into this file")
    parser.add_argument(
        "--show",
        choices=("depth", "exposures"),
        default="depth",
        help="what is drawn; default: the limiting magnitude",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="with --night: first make its maps, and the file of its candidates, again",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.settings import SettingsError

    if options.again and not options.night:
        raise SettingsError("--again needs the night whose maps are to be made again: --night 20260131")
    with open_context(options.night) as context:
        of_site = context.of_site(context.deployment.site_named(options.site).name)
        whole = not options.again or _make_again(of_site, options.night)
        maps = _print_chosen(of_site, options)
    if options.png and maps:
        _draw(maps, options)
    return 0 if maps and whole else 1


def _make_again(context: "Context", night: date) -> bool:
    """Make them, and return whether all could be made."""
    from nightshift.coverage.after_night import make_after_night
    from nightshift.ledger.months import check_is_here
    from nightshift.night_end.night_rows import night_row

    night_row(context, night)  # a slip of the finger is no night
    check_is_here(context.ledger, context.site, night)
    made = make_after_night(context, night)
    print(made)
    return made.whole


def _print_chosen(context: "Context", options: argparse.Namespace) -> "dict[MapKey, DepthMap]":
    """Print the maps that were asked for and return them."""
    from nightshift.coverage.map_rows import MapFigures
    from nightshift.coverage.stored_maps import read_map, stored_maps

    maps = {}
    for key, row in stored_maps(context).items():
        if (key.night, True, True) == (
            options.night, options.filter in (None, key.filter), options.instrument in (None, key.instrument)
        ):  # fmt: skip
            maps[key] = read_map(context, row)
            print(f"{MapFigures.of(key, maps[key])}\n  {context.depot.absolute(row.path)}")
    if not maps:
        of = f"of the night {options.night}" if options.night else "of any night"
        print(
            f"There is no such map {of}. The end of a night makes its maps; --night with --again makes those of one."
        )
    return maps


def _draw(maps: "dict[MapKey, DepthMap]", options: argparse.Namespace) -> None:
    from nightshift.coverage.coverage_pictures import draw_coverage
    from nightshift.files import write_whole
    from nightshift.settings import SettingsError

    if len(cameras := sorted({key.instrument for key in maps})) > 1:
        raise SettingsError(f"a picture is of one camera: say --instrument, one of {', '.join(cameras)}")
    write_whole(options.png, draw_coverage(maps, options.show))
    print(options.png)
