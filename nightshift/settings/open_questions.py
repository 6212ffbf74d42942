"""What a draft of settings could not find out and asks for: a question stands in the value's place."""

from collections.abc import Iterator
from typing import Any

__all__ = ["open_questions", "question"]

_ASKED = "ASK: "


def question(what: str) -> str:
    """Return the text that stands in a value's place until somebody has found it out."""
    return f"{_ASKED}{what}"


def open_questions(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the key, such as ``site.latitude_deg``, and the text of each question below a table or list."""
    if isinstance(value, str) and value.startswith(_ASKED.strip()):
        yield place, value.removeprefix(_ASKED.strip()).strip()
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from open_questions(child, f"{place}.{name}" if place else str(name))
