"""The command ``nightshift inspect``."""

import argparse
from pathlib import Path

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``inspect`` to the command line's subparsers."""
    parser = subparsers.add_parser(
        "inspect",
        help="make one page of a reduced quadrant, a master or a reference: images, residuals, candidates, numbers",
    )
    parser.add_argument(
        "unit",
        help="key of a unit (democam/20251121105018/d01/q1), a master or a reference, or an alert's candid; or, "
        "where no ledger is at hand, the folder of an attempt or of products in the depot",
    )
    parser.add_argument("--output", type=Path, help="the page (default: inspect-<unit>.html here)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from nightshift.errors import BadInput
    from nightshift.inspect.page import page_of
    from nightshift.inspect.products_at_hand import from_folder, from_ledger
    from nightshift.vocabulary import reason_of
    from reduction.problems import Unusable

    folder = Path(options.unit)
    if folder.is_dir():
        unit = from_folder(folder)
    else:
        from nightshift.context import open_context

        with open_context() as context:
            unit = from_ledger(context, options.unit)
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in unit.key).strip("-.")
    target = options.output or Path(f"inspect-{name}.html")
    try:
        page = page_of(unit)
    except Unusable as error:
        raise BadInput(reason_of(error.cause), f"{unit.key}: {error}") from error
    target.write_text(page, encoding="utf-8")
    print(target)
    return 0
