"""``python -m benchmarks [NAME]`` runs one benchmark, or all; each leaves ``benchmarks/out/<name>.json``."""

import argparse
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nightshift.files import write_json

HERE = Path(__file__).parent
OUT = HERE / "out"


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def show(name: str, figures: Mapping[str, float], console: Console) -> None:
    """Print a benchmark's figures."""
    table = Table(title=name, title_justify="left", box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for key, value in figures.items():
        table.add_row(key, f"{value:.6g}")
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", help=f"one of: {', '.join(names())} (default: all)")
    chosen = parser.parse_args(arguments).name
    if chosen is not None and chosen not in names():
        print(f"no benchmark {chosen!r}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    for name in [chosen] if chosen else names():
        figures = importlib.import_module(f"benchmarks.{name}").run()
        write_json(OUT / f"{name}.json", figures)
        show(name, figures, console)
        console.print(f"written to {OUT / name}.json\n", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
