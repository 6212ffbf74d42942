"""What there is to show of a unit: from the ledger, or from an attempt's folder alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput
from nightshift.vocabulary import Reason
from nightshift.workplace import Workplace

__all__ = ["Inspected", "from_folder", "from_ledger"]


@dataclass(frozen=True)
class Inspected:
    """A reduced quadrant.

    Parameters
    ----------
    key, state, reason, detail : str
    files : dict of str to Path
        Its products by kind; ``calibrated``, ``sources``, ``difference`` and ``cutouts`` are shown, and the
        ``reference`` that it was differenced against.
    measurements : dict
        By name, in the order in which they are shown.
    warnings, flags : tuple of str
    seconds : dict of str to float
        By step, where they are known.
    difference : dict
        What was measured of the difference, where there is one.
    candidates : tuple of dict
        As in the ledger's table.
    """

    key: str
    state: str
    reason: str
    detail: str
    files: dict[str, Path]
    measurements: dict[str, Any]
    warnings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    difference: dict[str, Any] = field(default_factory=dict)
    candidates: tuple[dict[str, Any], ...] = ()


def from_folder(folder: Path) -> Inspected:
    """Return what an attempt left in its folder.

    Raises
    ------
    BadInput
        If the result does not read, or has no image.
    """
    try:
        told = json.loads((folder / "result.json").read_text())
        given = [i for p in told["products"] if p["kind"] == "difference" for i in p["inputs"]]
        files = {i["role"]: Path(i["path"]) for i in given if i["role"] == "reference"}
        files |= {p["kind"]: folder / Path(p["name"]).name for p in told["products"]}
        metrics = dict(told["metrics"])
        key, state = str(told["unit_key"]), str(told["state"])
        difference = _flat(metrics.pop("difference", {}))
        candidates = tuple(told.get("rows", {}).get("candidates", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(Reason.RESULT_INVALID, f"{folder / 'result.json'}: {error}") from error
    warnings = tuple(map(str, metrics.pop("warnings", ())))
    numbers = {k: v for k, v in metrics.items() if not isinstance(v, list | dict)}
    return _with_image(
        Inspected(
            key, state, str(told.get("reason") or ""), str(told.get("detail") or ""), files, numbers, warnings,
            tuple(map(str, told.get("flags", ()))), dict(told.get("seconds", {})), difference, candidates,
        )
    )  # fmt: skip


def from_ledger(workplace: Workplace, unit_key: str) -> Inspected:
    """Return what the ledger knows of a unit.

    Raises
    ------
    BadInput
        If it knows no such unit, or the unit has no image on disk.
    """
    row = workplace.ledger.row("inspect", "unit", unit_key=unit_key)
    if row is None:
        raise BadInput(Reason.INPUT_LOST, f"the ledger knows no unit {unit_key!r}")
    products = workplace.ledger.rows("inspect", "products", unit_key=unit_key)
    quality = workplace.ledger.row("inspect", "quality", unit_key=unit_key) or {}
    difference = workplace.ledger.row("inspect", "difference", unit_key=unit_key) or {}
    candidates = workplace.ledger.rows("inspect", "candidates", unit_key=unit_key)
    warnings = tuple(quality.pop("warnings", ()))
    reference = workplace.ledger.row("inspect", "reference", unit_key=unit_key)
    files = {} if reference is None else {"reference": workplace.depot.absolute(reference["path"])}
    files |= {p["kind"]: workplace.depot.absolute(p["path"]) for p in products}
    return _with_image(
        Inspected(
            unit_key, row["state"], row["reason"] or "", row["detail"] or "", files, dict(quality), warnings,
            tuple(map(str, row["flags"] or ())), {}, _flat(difference), tuple(map(dict, candidates)),
        )
    )  # fmt: skip


def _flat(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was measured of a difference in one mapping."""
    row = dict(difference)
    quality = row.pop("quality", None) or {}
    return {name: value for name, value in {**row, **quality}.items() if value not in (None, "")}


def _with_image(unit: Inspected) -> Inspected:
    """Return the unit with those of its products that are on disk; one without any image is refused."""
    there = {kind: path for kind, path in unit.files.items() if path.is_file()}
    if not there.keys() & {"calibrated", "difference"}:
        raise BadInput(Reason.INPUT_LOST, f"{unit.key} has no calibrated image and no difference to show")
    return replace(unit, files=there)
