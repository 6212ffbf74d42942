"""Whether a ledger is this survey's and has the schema of this code: looked at before anything is read or written."""

from functools import cache

from nightshift.errors import NeedsOperator
from nightshift.ledger.database import SQL, VARIABLE, Ledger
from nightshift.vocabulary import Reason

__all__ = ["check_before_migrating", "check_ledger", "stamp"]


FIRST_STAMPED = "0012"


@cache
def known_versions() -> tuple[str, ...]:
    """Return the migrations that this code brings, oldest first."""
    return tuple(sorted(path.name[1:5] for path in (SQL / "migrations" / "versions").glob("v[0-9]*_*.py")))


def check_ledger(ledger: Ledger, survey: str, sites: tuple[str, ...]) -> None:
    """Refuse a ledger that is another survey's or has another schema; one that is nobody's yet becomes this survey's.

    Parameters
    ----------
    ledger : Ledger
    survey : str
        The survey's name.
    sites : tuple of str
        Its sites: nights of another site show that a ledger without a stamp is another survey's.

    Raises
    ------
    nightshift.errors.NeedsOperator
        With what is wrong and what to do.
    """
    version = check_not_newer(ledger)
    if version != known_versions()[-1]:
        has = f"has schema {version}" if version else "has no schema yet"
        raise _refused(f"it {has}, and this code needs {known_versions()[-1]}: run `nightshift migrate` once")
    stamp(ledger, survey, sites)


def check_before_migrating(ledger: Ledger, survey: str, sites: tuple[str, ...]) -> None:
    """Refuse to migrate a ledger that is newer than the code or another survey's; errors as of `check_ledger`."""
    version = check_not_newer(ledger)
    if survey and version is not None and version >= FIRST_STAMPED:
        stamp(ledger, survey, sites)


def check_not_newer(ledger: Ledger) -> str | None:
    """Return the schema that a ledger has, None where it has none yet.

    Raises
    ------
    nightshift.errors.NeedsOperator
        If it is one that this code does not know: a newer Nightshift has migrated it.
    """
    there = ledger.value("ledger", "has_schema")
    version: str | None = ledger.value("ledger", "schema_version") if there else None
    if version is not None and version not in known_versions():
        raise _refused(
            f"it has schema {version}, and this code knows schemas up to {known_versions()[-1]}: the ledger is newer "
            "than the code. Install the Nightshift that migrated it, or restore a backup of the ledger from before"
        )
    return version


def stamp(ledger: Ledger, survey: str, sites: tuple[str, ...]) -> None:
    """Stamp a ledger that is nobody's yet; parameters and errors as of `check_ledger`."""
    known = ledger.value("ledger", "survey_stamp")
    if known is None:
        strange = [row["site"] for row in ledger.rows("ledger", "sites_of_nights") if row["site"] not in sites]
        if strange:
            raise _refused(
                f"it holds nights of {', '.join(strange)}, and {survey} has the sites {', '.join(sites)}: it is "
                f"another survey's. Set NIGHTSHIFT_SURVEY to that survey, or {VARIABLE} to the ledger of {survey}"
            )
        ledger.run("ledger", "put_survey_stamp", survey=survey)
        known = ledger.value("ledger", "survey_stamp")
    if known != survey:
        raise _refused(
            f"it is the ledger of {known}, not of {survey}. Set {VARIABLE} to the ledger of {survey}, or "
            f"NIGHTSHIFT_SURVEY to {known}; a new survey needs a new, empty database"
        )


def _refused(why: str) -> NeedsOperator:
    return NeedsOperator(Reason.INTERNAL_ERROR, f"the ledger is refused: {why}.")
