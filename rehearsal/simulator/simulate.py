"""Simulate a whole night: raw files, catalogues, truth and the mountain's manifest."""

import hashlib
import io
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from nightshift.files import write_json, write_whole
from nightshift.settings import Survey
from rehearsal.simulator.calibrators import field_sky, reference_catalogue, write_table
from rehearsal.simulator.events import movers_of_field, risers_of_field
from rehearsal.simulator.expose import NightSky, expose
from rehearsal.simulator.fault_choice import Hit, choose_hits, disturbed
from rehearsal.simulator.fault_files import MANIFEST_NAME
from rehearsal.simulator.faults import FaultRequest, Hits
from rehearsal.simulator.manifest import manifest_of
from rehearsal.simulator.night_plan import DEFAULT_NIGHT, Exposure, plan_night, simulated_fields
from rehearsal.simulator.scale import NightScale, resized_survey
from rehearsal.simulator.seeds import generator
from rehearsal.simulator.transfer import Transfer

__all__ = ["SimulatedNight", "night_sky", "simulate_night"]


@dataclass(frozen=True)
class SimulatedNight:
    """A night on disk.

    Parameters
    ----------
    survey : Survey
        As simulated: with the detectors and shapes that the scale asked for.
    night : date
    folder, raw, truth, catalogues, manifest : Path
    files : tuple of Path
        What is sent before the manifest, in that order; without faults the raw files in shutter order.
    exposures : tuple of Exposure
        In shutter order.
    after_manifest, after_closing : tuple of Path
        What is sent late.
    """

    survey: Survey
    night: date
    folder: Path
    raw: Path
    truth: Path
    catalogues: Path
    manifest: Path
    files: tuple[Path, ...]
    exposures: tuple[Exposure, ...]
    after_manifest: tuple[Path, ...] = ()
    after_closing: tuple[Path, ...] = ()


def simulate_night(
    survey: Survey,
    output: Path,
    *,
    seed: int = 1,
    night: date | None = None,
    scale: NightScale | None = None,
    faults: tuple[FaultRequest, ...] = (),
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedNight:
    """Write a night: ``raw/``, ``catalogues/``, ``truth/``, ``manifest_YYYYMMDD.json`` and ``play.json``.

    The same survey, seed, night, scale and faults give the same bytes, with any number of processes. Files that
    no fault hits are the same with and without faults.

    Parameters
    ----------
    survey : Survey
    output : Path
        Made where it is missing.
    seed : int
    night : date, optional
        The date of its evening at the site.
    scale : NightScale, optional
        How much of it; None is the whole demonstration night.
    faults : tuple of FaultRequest, optional
        See `rehearsal.simulator.faults`.
    processes : int
        More than one starts that many besides this one.
    progress : callable, optional
        Called with the number of files written and of all.
    """
    scale, night = scale or NightScale(), night or DEFAULT_NIGHT
    survey = resized_survey(survey, scale)
    planned = plan_night(survey, scale, seed=seed, night=night)
    hits = choose_hits(faults, planned, survey, seed=seed)
    exposures = disturbed(planned, hits, survey)
    sky = night_sky(survey, scale, exposures, seed=seed, night=night)
    tasks = [(exposure, detector) for exposure in exposures for detector in survey.camera.detector_ids]
    made: list[dict[str, Any]] = []
    for number, result in enumerate(_written(sky, tasks, output / "raw", processes), start=1):
        made.append(result)
        if progress is not None:
            progress(number, len(tasks))
    manifest = output / night.strftime(MANIFEST_NAME)
    transfer = _transfer(output / "raw", manifest.name, made)
    injected = _spoil(transfer, hits, made, survey, seed)
    _write_truth(output / "truth", sky, exposures, made, scale)
    write_json(output / "truth" / "faults.json", injected)
    filters = tuple(f.name for f in survey.sky.filters)
    for field in sky.fields.values():
        if field.catalogue is not None:
            write_table(
                output / "catalogues" / Path(field.catalogue), reference_catalogue(survey, field, filters, seed)
            )
    write_json(manifest, manifest_of(survey.site.name, night, transfer.entries.values(), synthetic=False))
    order = transfer.play_order()
    write_json(output / "play.json", order.to_json())
    return SimulatedNight(
        survey, night, output, output / "raw", output / "truth", output / "catalogues", manifest,
        _paths(output / "raw", order.files), exposures,
        _paths(output / "raw", order.after_manifest), _paths(output / "raw", order.after_closing),
    )  # fmt: skip


def _paths(raw: Path, places: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(raw / place for place in places)


def _transfer(raw: Path, manifest: str, made: list[dict[str, Any]]) -> Transfer:
    """Return the undisturbed transfer of a night's files."""
    entries = {m["name"]: {"name": m["name"], "bytes": m["bytes"], "sha256": m["sha256"]} for m in made}
    return Transfer(raw, manifest, entries, list(entries), generator(0))


def _spoil(
    transfer: Transfer, hits: tuple[Hit, ...], made: list[dict[str, Any]], survey: Survey, seed: int
) -> list[dict[str, Any]]:
    """Do to the files what the faults do, and return the table of all faults of the night."""
    names = {(m["number"], m["detector"]): m["name"] for m in made}
    ids = {m["number"]: m["exposure_id"] for m in made}
    rows = []
    # what comes beside the files is made of them before they are spoilt
    for hit in sorted(hits, key=lambda h: h.fault.hits is not Hits.NIGHT):
        fault, hit_names = hit.fault, [names[hit.number, detector] for detector in hit.detectors]
        if fault.spoil is not None:
            transfer.random = generator(seed, "spoil", fault.name, *hit_names)
            hit_names = [fault.spoil(transfer, name, survey) or name for name in hit_names]
        of_frame = fault.hits is not Hits.NIGHT
        rows.append(
            {
                "fault": fault.name,
                "files": hit_names,
                "exposure_id": ids[hit.number] if of_frame else None,
                "detectors": list(hit.detectors) if of_frame else [],
                "reason": fault.reason,
                "ends": fault.ends,
            }
        )
    return rows


def night_sky(
    survey: Survey, scale: NightScale, exposures: tuple[Exposure, ...], *, seed: int, night: date
) -> NightSky:
    """Return the fields of a planned night with what changes in them."""
    fields = {f.id: f for f in simulated_fields(survey, scale, night)}
    return NightSky(
        survey,
        seed,
        night,
        fields,
        {k: risers_of_field(survey, f, exposures, seed=seed) for k, f in fields.items()},
        {k: movers_of_field(survey, f, exposures, seed=seed) for k, f in fields.items()},
    )


# --- the work of one process ---------------------------------------------------------------------------------

_work: tuple[NightSky, Path] | None = None


def _begin(sky: NightSky, raw: Path) -> None:
    global _work
    _work = sky, raw


def _one(task: tuple[Exposure, int]) -> dict[str, Any]:
    assert _work is not None
    return _write_one(*_work, task)


def _write_one(sky: NightSky, raw: Path, task: tuple[Exposure, int]) -> dict[str, Any]:
    exposure, detector = task
    made = expose(sky, exposure, detector)
    write_whole(raw / made.name, made.content)
    return {
        "name": made.name,
        "bytes": len(made.content),
        "sha256": hashlib.sha256(made.content).hexdigest(),
        "number": exposure.number,
        "exposure_id": exposure.exposure_id,
        "detector": detector,
        "risers": made.risers,
        "movers": made.movers,
        "cosmic_rays": made.cosmic_ray_pixels,
    }


def _written(sky: NightSky, tasks: list[tuple[Exposure, int]], raw: Path, processes: int) -> Iterator[dict[str, Any]]:
    """Make every file, in order.

    Processes are forked, which saves them three seconds of imports, unless this one has threads: then a fork may
    hang, and they are started afresh.
    """
    if processes <= 1:
        yield from (_write_one(sky, raw, task) for task in tasks)
        return
    method = "fork" if threading.active_count() == 1 else "spawn"
    with multiprocessing.get_context(method).Pool(processes, _begin, (sky, raw)) as pool:
        yield from pool.imap(_one, tasks, chunksize=4)


# --- truth ---------------------------------------------------------------------------------------------------


def _write_truth(
    folder: Path, sky: NightSky, exposures: tuple[Exposure, ...], made: list[dict[str, Any]], scale: NightScale
) -> None:
    files: dict[str, list[str]] = {}
    for m in made:
        files.setdefault(m["exposure_id"], []).append(m["name"])
    write_json(
        folder / "night.json",
        {
            "survey": sky.survey.name,
            "seed": sky.seed,
            "night": sky.night.isoformat(),
            "scale": asdict(scale),
            "reference_visits": sky.survey.reference.at_least_frames,
            "filters": {f.name: f.number for f in sky.survey.sky.filters},
            "exposures": [_exposure_truth(e, files[e.exposure_id]) for e in exposures],
        },
    )
    write_json(folder / "transients.json", [_riser_truth(r, f, made) for f, all_ in sky.risers.items() for r in all_])
    write_json(folder / "movers.json", [_mover_truth(m, f, made) for f, all_ in sky.movers.items() for m in all_])
    _write_cosmic_rays(folder / "cosmic_rays.npz", made)
    filters = tuple(f.name for f in sky.survey.sky.filters)
    for field in sky.fields.values():
        stars, galaxies = field_sky(sky.survey, field, sky.seed)
        for kind, objects in (("stars", stars), ("galaxies", galaxies)):
            table = Table({k: getattr(objects, k) for k in objects.__dataclass_fields__})
            for name in filters:
                table[f"mag_{name}"] = objects.magnitude(name)
            write_table(folder / f"{kind}_{field.id:06d}.fits", table)


def _exposure_truth(exposure: Exposure, files: list[str]) -> dict[str, Any]:
    row = asdict(exposure)
    row["shutter_open"] = exposure.shutter_open.isoformat()
    row["image_type"] = str(exposure.image_type)
    row["files"] = files
    return row


def _rows_of(name: str, kind: str, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [row for m in made for row in m[kind] if row["name"] == name]
    return [{k: v for k, v in row.items() if k != "name"} for row in rows]


def _riser_truth(riser: Any, field: int, made: list[dict[str, Any]]) -> dict[str, Any]:
    rows = [row for row in _rows_of(riser.name, "risers", made) if row["electrons"] > 0]
    return {**asdict(riser), "field": field, "appearances": rows}


def _mover_truth(mover: Any, field: int, made: list[dict[str, Any]]) -> dict[str, Any]:
    row = asdict(mover)
    row["epoch"] = mover.epoch.isoformat()
    return {**row, "field": field, "appearances": _rows_of(mover.name, "movers", made)}


def _write_cosmic_rays(path: Path, made: list[dict[str, Any]]) -> None:
    arrays = {
        f"{m['exposure_id']}_d{m['detector']:02d}_q{quadrant}": pixels
        for m in made
        for quadrant, pixels in m["cosmic_rays"].items()
        if len(pixels)
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_whole(path, stream.getvalue())
