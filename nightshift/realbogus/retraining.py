"""When the real-bogus model is to be trained anew: what it was trained for is no more what it judges."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.ledger.queries import realbogus as realbogus_queries
from nightshift.realbogus import REAL_BOGUS
from nightshift.settings import Survey, settings_hash

__all__ = ["note_model", "retraining_due", "trained_for"]

_NAMED = 3  # replaced references that are named one by one


def trained_for(survey: Survey) -> str:
    """Return the hash of those settings that decide how a survey's differences look.

    They are the camera with its scale, how images are subtracted, and how many frames of which kind a reference is
    made of.
    """
    reduction, reference = survey.reduction, survey.reference
    return settings_hash(
        {
            "instrument": survey.camera.instrument,
            "pixel_scale_arcsec": survey.camera.pixel_scale_arcsec,
            "difference_method": reduction.difference_method,
            "kernel_radius_px": reduction.kernel_radius_px,
            "kernel_order": reduction.kernel_order,
            "reference_frames": [reference.at_least_frames, reference.at_most_frames],
            "reference_choice": reference.choose,
        }
    )


def note_model(context: Context, *, model: Path = REAL_BOGUS) -> None:
    """Keep in the ledger since when the model is in use. The first time stays, however often it is noted."""
    version, _ = _heading(model)
    realbogus_queries.put_model(context.ledger, instrument=context.survey.camera.instrument, version=version)


def retraining_due(context: Context, *, model: Path = REAL_BOGUS) -> list[str]:
    """Return why the model is to be trained anew, in sentences for the morning's report; nothing where it serves.

    Either the survey is none that it was trained for as its settings are now, or references have taken the place of
    others since it came into use: what stars leave in a difference depends on both.
    """
    survey = context.survey
    version, record = _heading(model)
    due = f"Retraining of the real-bogus model {version} is due (nightshift train-realbogus)"
    lines = []
    known, name = record.get("surveys", {}), context.deployment.name_of(survey.camera.instrument)
    if known.get(name) != trained_for(survey):
        other = "has other settings than those it was trained for"
        why = other if name in known else "is none of those it was trained for"
        lines.append(f"{due}: survey {name} {why}.")
    replaced = realbogus_queries.references_replaced(
        context.ledger, instrument=survey.camera.instrument, version=version
    )
    if replaced:
        names = {field.id: field.name for field in survey.sky.fields}
        named = [f"{names.get(r.field, r.field)} {r.filter} v{r.version}" for r in replaced[:_NAMED]]
        more = f" and {len(replaced) - _NAMED} more" if len(replaced) > _NAMED else ""
        lines.append(f"{due}: references were replaced since it came into use: {', '.join(named)}{more}.")
    return lines


@cache
def _heading(model: Path) -> tuple[str, dict[str, Any]]:
    """Return a model's version and training record."""
    content = json.loads(model.read_text())
    return content["version"], content["record"]
