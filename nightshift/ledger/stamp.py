"""Whether a ledger is this survey's: looked at before anything is read or written."""

from nightshift.errors import NeedsOperator
from nightshift.ledger.database import VARIABLE, Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.revision import check_not_newer
from nightshift.vocabulary import Reason

__all__ = ["check_before_migrating", "stamp"]


FIRST_STAMPED = "0012"


def check_before_migrating(ledger: Ledger, survey: str, sites: tuple[str, ...]) -> None:
    """Refuse to migrate a ledger that is newer than the code or another survey's; errors as of `stamp`."""
    found = check_not_newer(ledger)
    if survey and found is not None and found >= FIRST_STAMPED:
        stamp(ledger, survey, sites)


def stamp(ledger: Ledger, survey: str, sites: tuple[str, ...]) -> None:
    """Refuse a ledger that is another survey's; one that is nobody's yet becomes this survey's.

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
    known = ledger_queries.survey_stamp(ledger)
    if known is None:
        strange = [row.site for row in ledger_queries.sites_of_nights(ledger) if row.site not in sites]
        if strange:
            raise _refused(
                f"it holds nights of {', '.join(strange)}, and {survey} has the sites {', '.join(sites)}: it is "
                f"another survey's. Set NIGHTSHIFT_SURVEY to that survey, or {VARIABLE} to the ledger of {survey}"
            )
        ledger_queries.put_survey_stamp(ledger, survey=survey)
        known = ledger_queries.survey_stamp(ledger)
    if known != survey:
        raise _refused(
            f"it is the ledger of {known}, not of {survey}. Set {VARIABLE} to the ledger of {survey}, or "
            f"NIGHTSHIFT_SURVEY to {known}; a new survey needs a new, empty database"
        )


def _refused(why: str) -> NeedsOperator:
    return NeedsOperator(Reason.INTERNAL_ERROR, f"the ledger is refused: {why}.")
