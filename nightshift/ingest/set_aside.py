"""A note beside each file that was not registered: what became of it, for a ledger that was restored without it.

A file in quarantine is named by its arrival's key, and a repeat is not kept at all: without the note nobody could say
what they were. The note lies in the quarantine's folder of the night, and is read by nothing else.
"""

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.files import write_json
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.vocabulary import Disposition, Reason

__all__ = ["NOTE", "SetAside", "enter_again", "leave_note", "put_set_aside"]

NOTE = ".json"
FORMAT = "nightshift.set-aside/1"


@dataclass(frozen=True)
class SetAside:
    """The arrival of a file that was not registered, as the ledger holds it; names of columns."""

    arrival_key: str
    inbox_name: str
    bytes: int
    sha256: str | None
    disposition: Disposition
    reason: Reason | None
    detail: str
    kept_path: str | None
    site: str
    night: date
    instrument: str | None
    exposure_id: str | None
    detector: int | None
    night_by_clock: bool


def leave_note(context: Context, arrival: SetAside) -> None:
    """Write the note of an arrival that is in the ledger."""
    path = context.depot.quarantine(arrival.night, arrival.arrival_key)
    table = {"format": FORMAT, **asdict(arrival), "night": arrival.night.isoformat()}
    write_json(path.with_name(path.name + NOTE), table)


def enter_again(context: Context, note: Path, *, dry_run: bool = False) -> bool:
    """Enter an arrival as its note says, and return whether the ledger lacked it.

    The note of a file that lies there no more changes nothing: it went elsewhere since.

    Raises
    ------
    BadInput
        If the note does not read.
    """
    arrival = _read(note)
    kept = context.depot.absolute(arrival.kept_path) if arrival.kept_path else None
    if kept is not None and not kept.exists():
        return False
    with context.ledger.transaction() as ledger:
        if ingest_queries.arrival(ledger, arrival_key=arrival.arrival_key) is not None:
            return False
        if not dry_run:
            put_set_aside(context, arrival)
    return True


def put_set_aside(context: Context, arrival: SetAside) -> None:
    """Write an arrival that is not registered, and where its file is kept. Call it inside a transaction."""
    ingest_queries.put_arrival(context.ledger, **asdict(arrival))
    if arrival.kept_path is not None:
        ingest_queries.put_quarantine(
            context.ledger, arrival_key=arrival.arrival_key, path=arrival.kept_path, reason=arrival.reason,
            detail=arrival.detail,
        )  # fmt: skip


def _read(note: Path) -> SetAside:
    try:
        table: dict[str, Any] = json.loads(note.read_bytes())
        if table.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        table["night"] = date.fromisoformat(table["night"])
        table["disposition"] = Disposition(table["disposition"])
        table["reason"] = Reason(table["reason"]) if table["reason"] else None
        return SetAside(**table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(Reason.RESULT_INVALID, f"{note} is no note of a file that was set aside: {error}") from error
