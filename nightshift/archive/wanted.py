"""What of a night belongs in its archive, as the ledger names it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.ledger.queries import archive as archive_queries

__all__ = ["Wanted", "wanted_files"]


@dataclass(frozen=True)
class Wanted:
    """A file of the depot that belongs in the archive.

    Parameters
    ----------
    source : str
        Below the depot; in a bag it keeps that place.
    kind : str
    sha256, bytes : str, int, optional
        None where the ledger does not know: it is measured as the file is placed.
    """

    source: str
    kind: str
    sha256: str | None = None
    bytes: int | None = None


def wanted_files(context: Context, night: date) -> Iterator[Wanted]:
    """Yield all that is a file already and of a kind that the survey keeps; the night's tar of alerts is none yet."""
    ledger, site, policy = context.ledger, context.site.name, context.archive_policy
    for row in archive_queries.files_to_archive(ledger, site=site, night=night):
        if policy.keeps(row.kind):
            yield Wanted(row.source, row.kind, row.sha256, row.bytes)
    if policy.keeps("packets"):
        for tar in archive_queries.packet_tars(ledger, site=site, night=night):
            yield Wanted(tar.packet_path, "packets")
