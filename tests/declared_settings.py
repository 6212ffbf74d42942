"""A survey of which a job sees only the settings that its kind of work declares."""

from functools import cache
from typing import Any

from nightshift.kinds.kind import Kind
from nightshift.settings import Survey
from nightshift.settings.base_table import Table

__all__ = ["only_declared"]


def only_declared(survey: Survey, kind: Kind) -> Survey:
    """Return the survey, whose other settings raise when they are read."""
    if kind.settings is None:
        return survey
    guarded: Survey = _guarded(survey, kind.settings, f"{kind} reads ")
    return guarded


def _guarded(table: Table, places: tuple[str, ...], told: str) -> Any:
    values = dict(table.__dict__)
    for name in {place.split(".")[0] for place in places} - set(places):
        inside = tuple(place.partition(".")[2] for place in places if place.startswith(f"{name}."))
        values[name] = _guarded(values[name], inside, f"{told}{name}.")
    return _guarded_type(type(table), frozenset(place.split(".")[0] for place in places), told)(values)


@cache
def _guarded_type(kind_of_table: type[Table], allowed: frozenset[str], told: str) -> Any:
    forbidden = set(kind_of_table.model_fields) - allowed

    class Guarded(kind_of_table):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            if name in forbidden:
                raise AssertionError(f"{told}{name}, which it does not declare: nightshift/kinds/<kind>/__init__.py")
            return super().__getattribute__(name)

    return lambda values: Guarded.model_construct(**values)
