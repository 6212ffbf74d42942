"""Which catalogue the stars of a field are compared with."""

from collections.abc import Iterable
from pathlib import Path

from nightshift.context import Context
from nightshift.kinds.science import queries
from nightshift.kinds.science.queries import OwnCatalogue

__all__ = ["catalogue_path", "own_catalogues"]


def catalogue_path(context: Context, field_id: int | None) -> Path | None:
    """Return the place of a field's reference catalogue, or None where its own first good frame serves."""
    name = context.survey.catalogue_of(field_id) if field_id is not None else None
    if name is None:
        return None
    path = context.depot.catalogue(str(name))
    return path if path.is_file() else None


def own_catalogues(context: Context, groups: Iterable[tuple[int, str]], campaign: str) -> list[OwnCatalogue]:
    """Return the first good frame of each quadrant that was reduced without a catalogue, of some fields and filters.

    Parameters
    ----------
    context : Context
    groups : iterable of (int, str)
        Field and filter.
    campaign : str
    """
    pairs = list(groups)
    return queries.own_catalogues(
        context.ledger,
        fields=[field for field, _ in pairs], filters=[name for _, name in pairs],
        instrument=context.survey.camera.instrument, campaign=campaign,
    )  # fmt: skip
