"""Whether code and ledger are of one schema: each refuses the other with what to do."""

import re
from functools import cache

from nightshift.errors import NeedsOperator
from nightshift.ledger.database import SQL, Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.vocabulary import Reason

__all__ = ["check_not_newer", "check_revision", "known_revisions"]


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the revisions of the schema that this code has migrations for, oldest first."""
    names = (path.name for path in (SQL / "migrations" / "versions").glob("v*.py"))
    return tuple(sorted(match[1] for name in names if (match := re.fullmatch(r"v(\d+)_\w+\.py", name))))


def check_revision(ledger: Ledger) -> None:
    """Refuse a ledger that this code does not fit.

    Raises
    ------
    NeedsOperator
        If the ledger is of a newer or an older schema; the message names both revisions and what to do.
    """
    found, newest = check_not_newer(ledger), known_revisions()[-1]
    if found != newest:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the ledger has the schema {found or 'of nothing yet'} and this code needs {newest}: `nightshift "
            "migrate` brings it there (`nightshift up` does so by itself)",
        )


def check_not_newer(ledger: Ledger) -> str | None:
    """Return the ledger's revision, None where it was never migrated; refuse one that this code does not know."""
    if ledger_queries.has_revision(ledger) is None:
        return None
    found = ledger_queries.revision(ledger)
    if found is not None and found not in known_revisions():
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the ledger has the schema {found}, which is newer than this code: it knows the schemas up to "
            f"{known_revisions()[-1]}. Run the code that migrated the ledger, or a newer one (git pull), or restore "
            "the backup of before its migration. Nothing was changed.",
        )
    return found
