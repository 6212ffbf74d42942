"""The template by which an exposure's id is made: groups of the file's name, the night, header values."""

import re
import string
from datetime import date
from functools import cache

__all__ = ["HEADER", "NIGHT", "check_template", "template_fields"]

NIGHT = "night"  # {night}, or {night:%y%j}: the date of its evening, as YYYYMMDD where nothing else is said
HEADER = "header"  # {header:KEYWORD}
_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9 _.-]{0,67}")


@cache
def template_fields(template: str) -> tuple[tuple[str, str], ...]:
    """Return name and format of each field of a template.

    Raises
    ------
    ValueError
        Where it is no template at all.
    """
    fields = []
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is not None:
            if conversion:
                raise ValueError(f"{{{name}!{conversion}}}: conversions are not allowed")
            fields.append((name, form or ""))
    return tuple(fields)


def check_template(template: str, pattern: str) -> str:
    """Return a template whose every field is a group of the pattern, the night or a header value.

    Raises
    ------
    ValueError
        Naming the field that is wrong and what there is.
    """
    groups = sorted(re.compile(pattern).groupindex)
    fields = template_fields(template)
    if not fields:
        raise ValueError(f"every exposure would have the same id; {_what_there_is(groups)}")
    for name, form in fields:
        if name in groups and name in (NIGHT, HEADER):
            raise ValueError(f"{{{name}}} is a group of the pattern and a word of its own: rename the group")
        if name not in (*groups, NIGHT, HEADER):
            raise ValueError(f"there is no {{{name}}}; {_what_there_is(groups)}")
        _check_form(name, form)
    return template


def _check_form(name: str, form: str) -> None:
    if name == HEADER and not _KEYWORD.fullmatch(form):
        raise ValueError(f"{{{name}:{form}}}: a header value is written {{header:KEYWORD}}, in capital letters")
    if "{" in form:
        raise ValueError(f"{{{name}:{form}}}: a field within a field is not allowed")
    try:
        format(date(2026, 1, 15) if name == NIGHT else "0", "" if name == HEADER else form)
    except ValueError as error:
        raise ValueError(f"{{{name}:{form}}}: {error}") from error


def _what_there_is(groups: list[str]) -> str:
    named = ", ".join(f"{{{group}}}" for group in groups)
    return f"the pattern's groups are {named or 'none'}; besides them there are {{night}} and {{header:KEYWORD}}"
