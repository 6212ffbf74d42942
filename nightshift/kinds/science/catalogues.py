"""Which catalogue the stars of a field are compared with."""

from pathlib import Path

from nightshift.context import Context

__all__ = ["catalogue_path"]


def catalogue_path(context: Context, field_id: int | None) -> Path | None:
    """Return the place of a field's reference catalogue, or None where its own first good frame serves."""
    field = context.survey.field(field_id) if field_id is not None else None
    if field is None or field.catalogue is None:
        return None
    path = context.depot.catalogue(str(field.catalogue))
    return path if path.is_file() else None
