"""How the faults of a simulated night ended, against what the simulator's truth says that they must lead to."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.ingest.naming import shown
from nightshift.keys import LIVE
from nightshift.ledger.queries import stack as stack_queries
from nightshift.night_end.accounts import Accounts, read_accounts
from nightshift.vocabulary import Disposition, UnitState
from rehearsal.simulator.faults import Ends

__all__ = ["FaultOutcome", "how_faults_ended"]

_DISPOSITIONS = {
    Ends.QUARANTINED: Disposition.QUARANTINED,
    Ends.CONFLICTING: Disposition.CONFLICTING,
    Ends.DUPLICATE: Disposition.DUPLICATE,
}


@dataclass(frozen=True)
class FaultOutcome:
    """One fault and what became of it.

    Parameters
    ----------
    fault : str
    files : tuple of str
        As the ledger shows them.
    exposure_id : str
        Empty where no frame was hit.
    ends : Ends
    reason : str or None
        What it must lead to.
    found : tuple of str
        What the ledger says of each thing that it hit: a state and a reason.
    """

    fault: str
    files: tuple[str, ...]
    exposure_id: str
    ends: Ends
    reason: str | None
    found: tuple[str, ...]

    @property
    def wanted(self) -> str:
        """What each of `found` must be."""
        return _said(self.ends, self.reason)

    @property
    def good(self) -> bool:
        """Whether all that it hit ended as it must."""
        return bool(self.found) and set(self.found) == {self.wanted}


def _said(state: str, reason: str | None) -> str:
    return f"{state}: {reason}" if reason else str(state)


def how_faults_ended(context: Context, night: date, truth: Path) -> list[FaultOutcome]:
    """Compare every fault of a night's truth with the ledger, and change nothing.

    Parameters
    ----------
    context : Context
    night : date
    truth : Path
        The simulated night's folder ``truth``.
    """
    books = read_accounts(context, night)
    rows = json.loads((truth / "faults.json").read_text())
    return [_outcome(context, books, row) for row in rows]


def _outcome(context: Context, books: Accounts, row: dict[str, Any]) -> FaultOutcome:
    ends, files = Ends(row["ends"]), tuple(shown(name) for name in row["files"])
    found = tuple(said for name in files for said in _found(context, books, row, ends, name))
    return FaultOutcome(row["fault"], files, row["exposure_id"] or "", ends, row["reason"], found)


def _found(context: Context, books: Accounts, row: dict[str, Any], ends: Ends, name: str) -> list[str]:
    """Return what the ledger says of one file, in the words of the truth table where it agrees."""
    if ends in _DISPOSITIONS:
        said = _arrivals(context, name)
        wanted = _said(_DISPOSITIONS[ends], row["reason"])
        return [_said(ends, row["reason"])] if wanted in said else said
    if ends is Ends.MISSING:
        return [_said("missing", m.reason) for m in books.sent.parts["missing"] if m.subject == name]
    if ends is Ends.KEPT_OUT:
        return _calibration(context, name)
    units = stack_queries.units_of_file(context.ledger, file_name=name, campaign=LIVE)
    if ends is Ends.NOTED:
        noted = [m.reason for m in (*books.unlisted, *books.late) if m.subject == name]
        used = all(u.state is UnitState.PROCESSED for u in units)
        return [_said(ends if used else "not processed", reason) for reason in noted]
    if ends is Ends.USED:
        return [str(ends) if u.state is UnitState.PROCESSED else _said(u.state, u.reason) for u in units]
    if ends is Ends.FLAGGED:
        processed = [u.flags if u.state is UnitState.PROCESSED else [u.state, u.reason] for u in units]
        return [_said(ends, row["reason"]) if row["reason"] in flags else f"{flags}" for flags in processed]
    return [_said(u.state, u.reason) for u in units]


def _arrivals(context: Context, name: str) -> list[str]:
    found = stack_queries.arrivals_named(context.ledger, file_name=name)
    return [_said(arrival.disposition, arrival.reason) for arrival in found]


def _calibration(context: Context, name: str) -> list[str]:
    uses = stack_queries.uses_of_file(context.ledger, file_name=name)
    return ["in a master" if use.accepted else _said(Ends.KEPT_OUT, use.reason) for use in uses]
