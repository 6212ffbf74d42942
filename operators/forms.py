"""The forms of Airflow's page, filled from the survey's settings."""

from typing import Any

from airflow.sdk import Param

from nightshift.context import deployment_from_environment

__all__ = ["disposal_form", "regeneration_form"]

FIELDS_TO_CHOOSE_FROM = 100  # of more, nobody finds one in a list
NOT_BLANK = r"\S"  # white space is no answer


def regeneration_form() -> dict[str, Any]:
    """Return the form for a new version of a field's reference."""
    from nightshift.kinds.reference.regenerate import SERVES, quadrant_names

    surveys = deployment_from_environment().surveys
    fields = {str(field.id): f"{field.id}: {field.name}" for survey in surveys for field in survey.sky.fields}
    filters = list(dict.fromkeys(filter_.name for survey in surveys for filter_ in survey.sky.filters))
    quadrants = list(dict.fromkeys(name for survey in surveys for name in quadrant_names(survey)))
    instruments = [survey.camera.instrument for survey in surveys]
    instrument = Param(
        None if len(instruments) > 1 else instruments[0], type="string", enum=instruments, title="Instrument",
        section="What",
    )  # fmt: skip
    return {
        **({"instrument": instrument} if len(instruments) > 1 else {}),
        "field": _field(fields),
        "filter": Param(None, type="string", enum=filters, title="Filter", section="What"),
        "quadrants": Param(
            [], type=["array", "null"], items={"type": "string", "enum": quadrants}, examples=quadrants,
            title="Quadrants", section="What", description="Leave empty for all of them.",
        ),
        "explanation": Param(
            None, type="string", pattern=NOT_BLANK, minLength=1, maxLength=500, title="Why", section="Why and when",
            description="Kept with the new version and in the audit.",
        ),
        "serves": Param(
            SERVES[0], type="string", enum=list(SERVES), title="In service", section="Why and when",
            values_display={"now": "now", "next_night": "from the next night on"},
        ),
        "dry_run": Param(
            True, type="boolean", title="Dry run", section="Why and when",
            description="Only say which frames it would be made of.",
        ),
    }  # fmt: skip


def _field(fields: dict[str, str]) -> Param:
    """Return the choice of a field: from a list where it is short, by its number where there are many or none."""
    if 0 < len(fields) <= FIELDS_TO_CHOOSE_FROM:
        return Param(None, type="string", enum=list(fields), values_display=fields, title="Field", section="What")
    return Param(
        None, type="integer", minimum=0, title="Field", section="What", description="Its number in the survey."
    )


def disposal_form() -> dict[str, Any]:
    """Return the form by which a person accepts or rejects a frame."""
    return {
        "frame": Param(
            None, type="string", pattern=NOT_BLANK, minLength=1, maxLength=500, title="Frame",
            description="A file's name, an arrival's key, the key of an exposure, a frame, a unit, a master or a "
            "reference, or an alert's candid.",
        ),
        "verdict": Param(
            None, type="string", enum=["accept", "reject"], title="Verdict",
            values_display={"accept": "accept: use it whatever the checks say", "reject": "reject: do not use it"},
        ),
        "explanation": Param(
            None, type="string", pattern=NOT_BLANK, minLength=1, maxLength=500, title="Why",
            description="Kept with your name in the overrides and in the audit.",
        ),
    }  # fmt: skip
