"""Modules import each other in one direction only, and each has a name of its own."""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("nightshift", "reduction", "operators", "rehearsal")
# What Python and the command line look for by name; the parts of a kind of work stand once a kind.
CONVENTIONAL = {"__init__", "__main__", "commands"}
PARTS_OF_A_KIND = {"due", "plan", "queries", "record", "work"}
NAMED_FOR_TOPICS = ROOT / "nightshift" / "ledger" / "queries"  # of the queries in sql/queries


def modules_below(root: Path, packages: tuple[str, ...]) -> dict[str, Path]:
    """Return every module's file by the module's full name."""
    found = {}
    for file in (file for package in packages for file in sorted((root / package).rglob("*.py"))):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports_of(tree: ast.AST, *, annotations: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Return a module's imports, those inside of functions too; those for annotations alone where asked for."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not annotations:
            for other in node.orelse:
                yield from imports_of(other, annotations=annotations)
        else:
            yield from imports_of(node, annotations=annotations)


def import_graph(root: Path, packages: tuple[str, ...], *, annotations: bool) -> dict[str, set[str]]:
    """Return which modules each module imports."""
    modules = modules_below(root, packages)
    graph: dict[str, set[str]] = {}
    for name, file in modules.items():
        wanted: set[str] = set()
        for node in imports_of(ast.parse(file.read_text()), annotations=annotations):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            else:
                assert node.level == 0, f"{file}:{node.lineno}: an import names its package in full"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= {each if each in modules else str(node.module) for each in inner}
        graph[name] = {each for each in wanted if each in modules} - {name}
    return graph


def circle_in(graph: dict[str, set[str]]) -> str:
    """Return one circle as a sentence, an empty text where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " is imported by ".join(error.args[1])
    return ""


def test_no_modules_import_each_other_in_a_circle():
    assert circle_in(import_graph(ROOT, PACKAGES, annotations=False)) == ""


def test_pixels_know_no_circle_even_for_annotations():
    assert circle_in(import_graph(ROOT, ("reduction",), annotations=True)) == ""


@pytest.mark.parametrize("late", ["from toy.b import B", "def f():\n    from toy import b", "import toy.b"])
def test_a_circle_is_found_wherever_the_import_stands(tmp_path, late):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").write_text("")
    (tmp_path / "toy" / "a.py").write_text(late)
    (tmp_path / "toy" / "b.py").write_text("from toy.a import A\n")
    found = circle_in(import_graph(tmp_path, ("toy",), annotations=False))
    assert "toy.a is imported by toy.b" in found or "toy.b is imported by toy.a" in found


def test_an_import_for_annotations_alone_counts_where_it_is_asked_for(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import toy.b\n")
    (tmp_path / "toy" / "b.py").write_text("import toy.a\n")
    assert circle_in(import_graph(tmp_path, ("toy",), annotations=False)) == ""
    assert circle_in(import_graph(tmp_path, ("toy",), annotations=True)) != ""


def own_name(file: Path) -> str | None:
    """Return the name that no other module may have, None where a module's name is the same by convention."""
    of_a_kind = file.parent.parent == ROOT / "nightshift" / "kinds"
    if file.stem in CONVENTIONAL or file.parent == NAMED_FOR_TOPICS or (of_a_kind and file.stem in PARTS_OF_A_KIND):
        return None
    return file.stem


def test_a_module_name_stands_once():
    files = modules_below(ROOT, PACKAGES).values()
    names = Counter(filter(None, map(own_name, files)))
    twice = [str(file.relative_to(ROOT)) for file in files if names[own_name(file) or ""] > 1]
    assert twice == [], "rename all but one of those that have the same name"
