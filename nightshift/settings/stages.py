"""The settings' hash by stage: each stage of the work has a hash of the settings that it uses, and of no others.

A stage is a kind of work, which declares what it uses (`nightshift.kinds.kind.Kind`), or one of the operator's own.
"""

from collections.abc import Iterable
from typing import Any

from nightshift.kinds import kinds
from nightshift.kinds.kind import Kind
from nightshift.settings.loader import settings_hash
from nightshift.settings.models import Survey

__all__ = ["OPERATOR_STAGES", "hash_of_kind", "hashes_by_stage", "settings_of_job"]

# What the operator itself does with a night, and the settings that it uses.
OPERATOR_STAGES = {
    "registration": ("site", "camera", "sky", "calibration.kinds", "exposure"),
    "release": ("alerts",),
    "night_end": ("night", "report", "storage", "archive", "copies"),
    "coverage": ("coverage",),
    "afternoon": ("preflight", "plan"),
    "open_night": ("night_watch",),
}


def hash_of_kind(survey: Survey, kind: Kind) -> str:
    """Return the hash of the settings that a kind of work uses."""
    return _hash_of(survey.model_dump(mode="json"), kind.settings)


def settings_of_job(survey: Survey, kind: Kind) -> dict[str, Any]:
    """Return a survey's settings as a job file holds them: its grid of fields only where the kind uses it."""
    uses_fields = kind.settings is None or {"sky", "sky.fields"} & set(kind.settings)
    return survey.model_dump(mode="json", exclude=None if uses_fields else {"sky": {"fields"}})


def hashes_by_stage(survey: Survey) -> dict[str, str]:
    """Return the hash of each stage: the operator's own, and every kind of work that is installed here."""
    plain = survey.model_dump(mode="json")
    stages = {**OPERATOR_STAGES, **{kind.name: kind.settings for kind in kinds()}}
    return {name: _hash_of(plain, tables) for name, tables in stages.items()}


def _hash_of(plain: dict[str, Any], tables: Iterable[str] | None) -> str:
    if tables is None:
        return settings_hash(plain)
    return settings_hash({place: _value_at(plain, place) for place in tables})


def _value_at(plain: dict[str, Any], place: str) -> Any:
    """Return a table or key by its place, such as ``alerts.at_most_per_unit``."""
    value: Any = plain
    for name in place.split("."):
        if name not in value:
            raise LookupError(f"there is no setting {place}: correct what a kind of work declares that it uses")
        value = value[name]
    return value
