"""Say where two fingerprints differ."""

from collections.abc import Iterator
from dataclasses import dataclass

from nightshift.fingerprint.night_fingerprint import Fingerprint

__all__ = ["Difference", "compare"]


@dataclass(frozen=True)
class Difference:
    """One member in which two fingerprints differ.

    Parameters
    ----------
    name : str
        Of the class: a table, a folder.
    key : str
        Of the row or file.
    text : str
        ``only in the first``, ``only in the second``, or the columns or parts that differ.
    """

    name: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.key}: {self.text}"


def compare(first: Fingerprint, second: Fingerprint) -> Iterator[Difference]:
    """Yield every member in which two fingerprints differ, class by class in the order of keys."""
    for name in [*first.classes, *(n for n in second.classes if n not in first.classes)]:
        mine, other = first.classes.get(name, {}), second.classes.get(name, {})
        for key in sorted({*mine, *other}):
            if key not in other:
                yield Difference(name, key, "only in the first")
            elif key not in mine:
                yield Difference(name, key, "only in the second")
            elif mine[key] != other[key]:
                parts = sorted(p for p in {*mine[key], *other[key]} if mine[key].get(p) != other[key].get(p))
                yield Difference(name, key, f"{', '.join(parts)} differ")
