"""A kind of work is known to its own folder and to its workflow: nobody else asks which one it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightshift.kinds import kinds
from nightshift.kinds.registry import OWN

ROOT = Path(__file__).resolve().parents[3]
KINDS = ROOT / "nightshift" / "kinds"
NAMES = {name for kind in kinds() for name in (kind.name, *kind.workflows)}
OF_PRODUCTS = ROOT / "nightshift" / "inspect"  # what it calls a kind is one of products
OF_A_KIND = re.compile(r"\b\w*(kind|dag|workflow)\w*\b")


def python_files() -> list[Path]:
    """Return the files of the operator, without the folders of the kinds."""
    folders = [ROOT / name for name in ("nightshift", "operators", "plugins")]
    left_out = (KINDS, OF_PRODUCTS)
    return [p for f in folders for p in sorted(f.rglob("*.py")) if not any(p.is_relative_to(o) for o in left_out)]


def branches(tree: ast.AST) -> Iterator[str]:
    """Yield each comparison of something that is called a kind, DAG or workflow with the name of one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            sides = [node.subject, *(case.pattern for case in node.cases)]
        else:
            continue
        constants = [c.value for side in sides for c in ast.walk(side) if isinstance(c, ast.Constant)]
        told = " ".join(ast.unparse(side) for side in sides if not isinstance(side, ast.Constant))
        if NAMES.intersection(c for c in constants if isinstance(c, str)) and OF_A_KIND.search(told):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kind == 'science'", 1),
        ("request.dag_id in ('references', 'difference')", 1),
        ("image_type == 'science'", 0),
        ("kind is None", 0),
        ("workflow == 'end_of_night'", 0),
    ],
)
def test_a_branch_by_kind_is_found(text, found):
    assert len(list(branches(ast.parse(text)))) == found


def test_no_module_outside_the_kinds_folder_branches_by_kind():
    found = {str(p.relative_to(ROOT)): list(branches(ast.parse(p.read_text()))) for p in python_files()}
    assert {name: said for name, said in found.items() if said} == {}


def test_no_module_outside_the_kinds_folder_takes_one_kind_by_its_object():
    packages = "|".join(kind.name for kind in OWN)
    pattern = re.compile(
        rf"from nightshift\.kinds\.({packages}) import .*\bKIND\b|registry import .*\b[A-Z_]{{3,}}\b"
    )
    assert [str(p) for p in python_files() if pattern.search(p.read_text())] == []


def test_no_query_outside_the_kinds_folder_asks_for_a_kind_by_its_name():
    names = "|".join(sorted(NAMES))
    pattern = re.compile(rf"\b(dag_id|jobs?\.kind|j\.kind)\b[^;]*?'({names})'")
    found = {}
    for path in sorted((ROOT / "sql" / "queries").glob("*.sql")):
        lines = [line for line in path.read_text().splitlines() if pattern.search(line)]
        if lines:
            found[path.name] = lines
    assert found == {}
