"""What there is to show of a unit, a master or a reference: from the ledger, or from a folder alone."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nightshift.called import called, unit_of_alert
from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.files import sha256_of
from nightshift.housekeeping.deleted_files import said_of_unit
from nightshift.inspect.places import DepotPlace, checked_key, place_of_folder
from nightshift.inspect.reading import header_of
from nightshift.keys import UnitKey
from nightshift.ledger.queries import inspect as inspect_queries
from nightshift.ledger.queries.inspect import Candidate
from nightshift.vocabulary import CalibrationKind, Reason, all_measurements

__all__ = ["IMAGES", "MASTERS", "Inspected", "from_folder", "from_ledger"]

MASTERS = tuple(kind.value for kind in CalibrationKind)
IMAGES = ("calibrated", "difference", "reference", *MASTERS)  # without one of them there is nothing to draw
PRODUCTS = (*IMAGES, "sources", "reference_sources", "cutouts")
KEPT_IN_HEADER = {
    "NFRAMES": "frames", "LEVEL": "level", "NOISE": "noise", "RNADU": "read_noise", "GAINMEAS": "gain",
    "FWHM": "fwhm_px", "MAGZP": "zero_point", "MAGLIM": "limiting_magnitude",
}  # fmt: skip
ENDING = ("state", "reason", "detail")  # of a row: how it ended, and no measurement
MOST_NAMED = 8  # units that a key could mean


@dataclass(frozen=True)
class Inspected:
    """A reduced quadrant, a master or a reference.

    Parameters
    ----------
    key, state, reason, detail : str
    files : dict of str to Path
        Its products by kind; ``calibrated``, ``sources``, ``difference`` and ``cutouts`` are shown, the
        ``reference`` that it is or was differenced against, and a master's ``bias``, ``dark`` or ``flat``.
    measurements : dict
        By name, in the order in which they are shown.
    warnings, flags : tuple of str
    seconds : dict of str to float
        By step, where they are known.
    difference : dict
        What was measured of the difference, where there is one.
    candidates : tuple of Candidate
    checksums : dict of str to str
        The sha256 of an attempt's own products, by kind; empty where no attempt is shown.
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
    candidates: tuple[Candidate, ...] = ()
    checksums: dict[str, str] = field(default_factory=dict)


def from_folder(folder: Path) -> Inspected:
    """Return what a folder has: of an attempt, or of the depot's products of a unit, a master or a reference.

    Where the products of an attempt went into the depot they are taken from there; what was measured of products in
    the depot is taken from the attempts, as long as their folders are kept. The ledger is not asked.

    Raises
    ------
    BadInput
        If a result does not read, or there is no image.
    """
    if (folder / "result.json").is_file():
        return _of_attempt(folder)
    place = place_of_folder(folder)
    if place is None or not _products_in(folder):
        raise BadInput(
            Reason.INPUT_LOST,
            f"{folder} is neither an attempt's folder (it has no result.json) nor one of products in a depot",
        )
    return _of_products(folder, place)


def _of_attempt(folder: Path) -> Inspected:
    unit = _told(folder / "result.json")
    place = place_of_folder(folder, unit.key)
    moved = _products_in(place.products) if place is not None else {}
    here = {kind: path for kind, path in unit.files.items() if path.is_file()}
    made = {kind: path for kind, path in moved.items() if kind in unit.files and kind not in here}
    own = {kind: path for kind, path in made.items() if sha256_of(path) == unit.checksums.get(kind)}
    others = tuple(f"{path.name} in the depot is another attempt's" for kind, path in made.items() if kind not in own)
    try:
        return _with_image(replace(unit, files=own | here, warnings=unit.warnings + others))
    except BadInput as error:
        if not others:
            raise
        raise BadInput(
            Reason.INPUT_LOST,
            f"{folder}: the products of this attempt are not there; those in the depot are of another",
        ) from error


def _of_products(folder: Path, place: DepotPlace) -> Inspected:
    """Return what lies in a folder of products, with what the last attempts at it measured."""
    products = _products_in(folder)
    unit = Inspected(place.key, "", "", "", {}, _in_header(products))
    for told in map(_told, place.results()):
        unit = replace(
            told, files=unit.files | told.files, measurements=unit.measurements | told.measurements,
            seconds=_together(unit.seconds, told.seconds), difference=told.difference or unit.difference,
            warnings=told.warnings or unit.warnings, candidates=told.candidates or unit.candidates,
            flags=tuple(dict.fromkeys((*unit.flags, *told.flags))),
        )  # fmt: skip
    reference = {kind: path for kind, path in unit.files.items() if kind == "reference"}
    return _with_image(replace(unit, files=reference | products))


def _in_header(products: Mapping[str, Path]) -> dict[str, Any]:
    """Return what the header of the image that a page is of keeps of what was measured."""
    image = next((products[kind] for kind in IMAGES if kind in products), None)
    if image is None:
        return {}
    header = header_of(image)
    return {name: header[keyword] for keyword, name in KEPT_IN_HEADER.items() if keyword in header}


def _together(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of two jobs by step; a step that both have, such as the total, is summed."""
    return {step: first.get(step, 0.0) + second.get(step, 0.0) for step in {**first, **second}}


def _products_in(folder: Path) -> dict[str, Path]:
    """Return the products that lie in a folder, by kind."""
    there = {path.name.partition(".")[0]: path for path in sorted(folder.glob("*.*")) if path.is_file()}
    return {kind: path for kind, path in there.items() if kind in PRODUCTS}


def _told(path: Path) -> Inspected:
    """Return what an attempt's result says; its products as if they still lay beside it."""
    try:
        told = json.loads(path.read_text())
        given = [i for p in told["products"] if p["kind"] == "difference" for i in p["inputs"]]
        files = {i["role"]: Path(i["path"]) for i in given if i["role"] == "reference"}
        files |= {p["kind"]: path.parent / Path(p["name"]).name for p in told["products"]}
        checksums = {p["kind"]: str(p["sha256"]) for p in told["products"]}
        metrics = dict(told["metrics"])
        key, state = checked_key(told["unit_key"]), str(told["state"])
        difference = _flat(metrics.pop("difference", {}))
        candidates = tuple(map(_candidate, told.get("rows", {}).get("candidates", ())))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(Reason.RESULT_INVALID, f"{path}: {error}") from error
    warnings = tuple(map(str, metrics.pop("warnings", ())))
    numbers = {k: v for k, v in metrics.items() if not isinstance(v, list | dict)}
    return Inspected(
        key, state, str(told.get("reason") or ""), str(told.get("detail") or ""), files, numbers, warnings,
        tuple(map(str, told.get("flags", ()))), dict(told.get("seconds", {})), difference, candidates, checksums,
    )  # fmt: skip


def _candidate(row: Mapping[str, Any]) -> Candidate:
    """Return a candidate as an attempt's result has it."""
    return Candidate(row["number"], row["x"], row["y"], row["positive"], row["signal_to_noise"], row["record"])


def from_ledger(context: Context, key: str) -> Inspected:
    """Return what the ledger knows of a unit, a master or a reference.

    Parameters
    ----------
    context : Context
    key : str
        As of `nightshift.called`: of an alert's candid the unit that it is of is shown, and where an exposure has
        one quadrant alone the exposure's id is enough.

    Raises
    ------
    BadInput
        If it knows no such key, the key could mean several units, or there is no image on disk.
    """
    ledger = context.ledger
    found = called(ledger, key)
    if found is not None:
        key = unit_of_alert(ledger, found) or found.key
    kept = inspect_queries.calibration(ledger, key=key) or inspect_queries.reference_image(ledger, key=key)
    if kept is not None:
        numbers = {name: value for name, value in asdict(kept).items() if name not in ENDING and value is not None}
        files = _files(context, key)
        return _with_image(Inspected(key, kept.state, kept.reason or "", kept.detail, files, numbers))
    key = _unit_key(context, key)
    row = inspect_queries.unit(ledger, unit_key=key)
    assert row is not None  # it was found by its key
    quality = inspect_queries.quality(ledger, unit_key=key)
    campaign = UnitKey.parse(key).campaign
    difference = inspect_queries.difference(ledger, unit_key=key, campaign=campaign)
    _check_not_deleted(context, key)
    return _with_image(
        Inspected(
            key,
            row.state,
            row.reason or "",
            row.detail,
            _reference_file(context, key, campaign) | _files(context, key),
            {} if quality is None else {"good": quality.good, **_measured(context, key)},
            warnings=() if quality is None else tuple(quality.warnings),
            flags=tuple(row.flags),
            difference={} if difference is None else _flat(asdict(difference)),
            candidates=tuple(inspect_queries.candidates(ledger, unit_key=key, campaign=campaign)),
        )
    )


def _measured(context: Context, key: str) -> dict[str, float | None]:
    """Return what a quadrant was measured for, in the order of the registry."""
    rows = inspect_queries.measurements(context.ledger, unit_key=key)
    values = {row.name: row.value for row in rows}
    names = (measurement.name for measurement in all_measurements())
    return {name: values[name] for name in names if name in values}


def _reference_file(context: Context, key: str, campaign: str) -> dict[str, Path]:
    """Return the reference that a unit was differenced against, where there is one."""
    reference = inspect_queries.reference(context.ledger, unit_key=key, campaign=campaign)
    return {} if reference is None else {"reference": context.depot.absolute(reference.path)}


def _unit_key(context: Context, text: str) -> str:
    """Return the key of the one unit that a text names."""
    keys = [unit.unit_key for unit in inspect_queries.units_like(context.ledger, text=text.strip("/"))]
    if text in keys:
        return text
    if not keys:
        raise BadInput(
            Reason.INPUT_LOST,
            f"the ledger knows no unit, master or reference {text!r}; `nightshift explain` names those of a file or "
            "an exposure",
        )
    if len(keys) > 1:
        named = ", ".join(keys[:MOST_NAMED]) + (
            f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
        )
        raise BadInput(Reason.INPUT_LOST, f"{text!r} could be any of {len(keys)} units: {named}")
    return keys[0]


def _files(context: Context, key: str) -> dict[str, Path]:
    products = inspect_queries.products(context.ledger, unit_key=key)
    return {product.kind: context.depot.absolute(product.path) for product in products}


def _check_not_deleted(context: Context, key: str) -> None:
    """Check that a unit whose images are gone did not lose them to retention: then say how they come back."""
    files = _files(context, key)
    if any(path.is_file() for kind, path in files.items() if kind in IMAGES):
        return
    if said := said_of_unit(context, key):
        raise BadInput(Reason.LEFT_BY_RETENTION, said)


def _flat(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was measured of a difference in one mapping."""
    row = dict(difference)
    quality = row.pop("quality", None) or {}
    return {name: value for name, value in {**row, **quality}.items() if value not in (None, "")}


def _with_image(unit: Inspected) -> Inspected:
    """Return the unit with those of its products that are on disk; one without any image is refused."""
    there = {kind: path for kind, path in unit.files.items() if path.is_file()}
    own = there.keys() & set(IMAGES)
    if not own or (own == {"reference"} and not unit.key.startswith("reference/")):
        raise BadInput(
            Reason.INPUT_LOST, f"{unit.key} has no image on disk: no calibrated one and no difference to show"
        )
    return replace(unit, files=there)
