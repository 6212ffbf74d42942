"""What every kind of work on an exposure plans alike."""

from collections.abc import Iterable
from typing import Any

from nightshift.context import Context
from nightshift.jobs.contract import Input
from nightshift.keys import serving
from nightshift.kinds.plans import input_in_depot
from nightshift.kinds.reference import queries as reference_queries
from nightshift.kinds.reference.queries import Reference
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries.exposures import Exposure
from nightshift.workflow.subjects import Subject

__all__ = ["Place", "exposure_of", "parameters_of", "reference_inputs", "references_serving", "tasks_of"]

Place = tuple[int, int]  # detector and quadrant


def exposure_of(context: Context, subject: Subject) -> Exposure:
    """Return the exposure that a subject is, or raise `LookupError`."""
    exposure = exposure_queries.exposure(
        context.ledger, instrument=subject["instrument"], exposure_id=subject["exposure_id"]
    )
    if exposure is None:
        raise LookupError(f"no exposure {subject['instrument']}/{subject['exposure_id']} is registered")
    return exposure


def parameters_of(exposure: Exposure, place: Place) -> dict[str, Any]:
    """Return what a job must know of an exposure and one of its quadrants."""
    detector, quadrant = place
    return {
        "instrument": exposure.instrument,
        "exposure_id": exposure.exposure_id,
        "detector": detector,
        "quadrant": quadrant,
        "filter": exposure.filter,
        "field": exposure.field,
        "exposure_s": exposure.exposure_s,
        "shutter_open": exposure.shutter_open.isoformat(),
        "ra_deg": exposure.ra_deg,
        "dec_deg": exposure.dec_deg,
        "airmass": exposure.airmass,
    }


def tasks_of(context: Context, places: Iterable[Place]) -> dict[Place, int]:
    """Number the tasks of an array: one a detector's file, or one a quadrant, as the camera's settings say."""
    places = list(places)
    if context.survey.camera.units_per_task == "quadrant":
        return {place: index for index, place in enumerate(places)}
    detectors = sorted({detector for detector, _ in places})
    return {place: detectors.index(place[0]) for place in places}


def references_serving(context: Context, exposure: Exposure, campaign: str) -> dict[Place, Reference]:
    """Return the reference that serves each quadrant of an exposure in a campaign."""
    if exposure.field is None:
        return {}
    references = reference_queries.references_serving(
        context.ledger, instrument=exposure.instrument, field=exposure.field, filter=exposure.filter,
        shutter_open=exposure.shutter_open, campaigns=serving(campaign),
    )  # fmt: skip
    return {(reference.detector, reference.quadrant): reference for reference in references}


def reference_inputs(context: Context, reference: Reference | None) -> tuple[Input, ...]:
    """Return a reference and its sources as inputs; nothing without one."""
    if reference is None:
        return ()
    return (
        input_in_depot(context, "reference", reference.path, reference.sha256, reference.product_key),
        input_in_depot(
            context, "reference_sources", reference.sources_path, reference.sources_sha256, reference.sources_key
        ),
    )
