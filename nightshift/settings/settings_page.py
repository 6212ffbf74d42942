"""Every key of a survey's files as a page of Markdown, from the settings' classes and the comments beside their keys.

``python -m nightshift.settings.settings_page > docs/settings.md`` writes the page; a test holds it to the classes.
"""

import ast
import inspect
import io
import re
import sys
import tokenize
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from nightshift.settings.base_table import Table
from nightshift.settings.calendar_table import FILE as CALENDAR_FILE
from nightshift.settings.calendar_table import CalendarEntry
from nightshift.settings.models import Survey

__all__ = ["KeyOfTable", "keys_of", "page"]

SECTION = re.compile(r"# --- (\w+\.toml) -{5,}")
INTRODUCTION = """\
# Settings: every key

A survey of one camera is a folder of five files; a survey of several telescopes has the same tables in another form
([a new camera](new-camera.md), its last section). A key without a default must be given. Units are in the keys'
names: `_s` seconds, `_deg` degrees, `_px` pixels of the image, `_adu` counts as the camera writes them, `_mb` 10^6
bytes. A table in double brackets may stand several times. A key that is not listed here is refused.

This page is made from `nightshift/settings/models.py` by
`python -m nightshift.settings.settings_page > docs/settings.md`.
"""


@dataclass(frozen=True)
class KeyOfTable:
    """One key of a table.

    Parameters
    ----------
    name, type, default, says : str
        `default` is empty where it must be given.
    """

    name: str
    type: str
    default: str
    says: str


@dataclass(frozen=True)
class TableOfFile:
    """One table with the file that it stands in."""

    file: str
    title: str
    model: type[Table]


def page() -> str:
    """Return the page."""
    parts, file = [INTRODUCTION], ""
    for table in _tables():
        if table.file != file:
            file = table.file
            parts.append(f"## {file}\n")
        parts.append(f"### `{table.title}`\n\n{_sentence(table.model)}\n")
        parts.append("| key | value | default | |\n|---|---|---|---|")
        parts.append("\n".join(_row(key) for key in keys_of(table.model)) + "\n")
    return "\n".join(parts)


def keys_of(model: type[Table]) -> list[KeyOfTable]:
    """Return the keys of a table that hold values and no further tables, with what is said of them."""
    said = _comments(model)
    return [
        KeyOfTable(name, _type(field.annotation), _default(field), said.get(name, ""))
        for name, field in model.model_fields.items()
        if _table_of(field.annotation) is None
    ]


def _row(key: KeyOfTable) -> str:
    cells = (f"`{key.name}`", key.type, f"`{key.default}`" if key.default else "", key.says)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sentence(model: type[Table]) -> str:
    text: str = inspect.getdoc(model) or ""
    return text.split("\n\n")[0].replace("\n", " ")


# --- which tables there are ---------------------------------------------------------------------------------


def _tables() -> Iterator[TableOfFile]:
    """Yield the tables in the order of the files, each before those inside of it."""
    yield TableOfFile("site.toml", "(above the first table)", _Top)
    for name, field in Survey.model_fields.items():
        model = _table_of(field.annotation)
        if model is not None:
            yield from _and_inside(_file_of(model), name, model, field.annotation)
    yield TableOfFile(CALENDAR_FILE, "[[calendar]]", CalendarEntry)


def _and_inside(file: str, title: str, model: type[Table], annotation: Any) -> Iterator[TableOfFile]:
    yield TableOfFile(file, _bracketed(title, annotation), model)
    for name, field in model.model_fields.items():
        inner = _table_of(field.annotation)
        if inner is not None and not name.startswith("linearity"):
            yield from _and_inside(file, f"{title}.{name}", inner, field.annotation)


class _Top(Table):
    """What stands above the first table."""

    title: str  # of the survey, as pages and mails call it


def _bracketed(title: str, annotation: Any) -> str:
    if get_origin(annotation) is dict:
        return f"[{title}.<kind of work>]"
    return f"[[{title}]]" if get_origin(annotation) is tuple else f"[{title}]"


def _table_of(annotation: Any) -> type[Table] | None:
    """Return the table that a key holds, or holds several of; None where it holds a value."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return annotation
    found = [table for part in get_args(annotation) if (table := _table_of(part)) is not None]
    return found[0] if found else None


def _file_of(model: type[Table]) -> str:
    """Return the file whose section of the module the class stands in."""
    source = inspect.getsource(sys.modules[model.__module__])
    before = source[: source.index(f"class {model.__name__}(")]
    file: str = SECTION.findall(before)[-1]
    return file


# --- what is said of a key ----------------------------------------------------------------------------------


def _comments(model: type[Table]) -> dict[str, str]:
    """Return the comment beside each key of a class, a table's own linearity included as a value."""
    source = inspect.getsource(model)
    beside = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    return {
        statement.target.id: beside.get(statement.end_lineno or 0, "")
        for statement in definition.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return "{}"
    if field.default is PydanticUndefined:
        return ""
    return "none" if field.default is None else _written(field.default)


def _written(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, Enum):
        return _written(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def _type(annotation: Any) -> str:
    """Return what a value is, in words of TOML."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return " or ".join(f'`"{part}"`' for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin is tuple:
        return f"list of {_type(parts[0])}" if Ellipsis in parts else f"list of {len(parts)} ({_type(parts[0])})"
    if origin is dict:
        return f"table of {_type(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f'`"{member.value}"`' for member in annotation)
    names = {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "PurePosixPath": "path",
    }
    name: str = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


if __name__ == "__main__":
    sys.stdout.write(page())
