"""The rows of the ledger, as a fingerprint sees them."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from nightshift.ledger import Ledger
from nightshift.ledger.database import named_queries

__all__ = ["LEFT_OUT", "TABLES", "Members", "fingerprint", "rows_of", "table_members"]

Members = dict[str, dict[str, str]]
"""Of each member (row or file), by its key: a short hash of each of its parts."""

LEFT_OUT = {
    "alembic_version": "alembic's own",
    "reasons": "a copy of the vocabulary",
    "kinds": "a copy of the registry",
    "measurements": "a copy of the registry",
    "image_measurements": "compared by its view, image_quality",
    "jobs": "how the work was cut",
    "runs": "how the work was asked for",
    "submissions": "how the work was handed over",
    "attempts": "how often the work was tried",
    "controls": "what people set, and when the programs acted on it",
    "audit": "what people did",
    "calendar": "what was announced, and what people set",
    "preflight_checks": "how the machine stood in the afternoon",
    "preflight_alarms": "what somebody was told",
    "record_layouts": "how the records of candidates are written",
    "sources_without_catalogue": "as products and their inputs tell",
    "undifferenced": "what was still to be done, as units and differences tell",
    "unreleased": "what was still to be released, as differences tell",
    "reduced_without_master": "what was still to be reduced again, as flags of units tell",
    "detached_months": "where an old month went, and not what a night left",
    "archive_bags": "how often the night was closed",
    "copies": "where second copies are, as the archive's files tell",
    "copy_places": "where second copies go",
    "copied_nights": "of which nights the copies are listed",
    "damaged_files": "what broke, and was mended",
    "events": "the story: it tells of what broke",
    "event_archives": "which part of the story is in the archive",
    "unheard_events": "which part of the story nobody was told yet",
    "troubles": "what people were told of",
    "hearings": "what people were told of",
    "messages": "what people were told",
    "deliveries": "by which way people were told",
    "failing_channels": "by which way people cannot be told now",
    "night_looks": "when somebody last looked",
    "night_alarms": "what people were told of",
    "usual_measurements": "what the nights before measured",
    "watch": "when somebody last looked",
    "pauses": "when nobody looked",
    "backup_steps": "when the ledger was backed up",
    "published_packets": "what was published before a restore, as the alerts tell",
    "storage": "the markers of this machine's disks",
    "waits": "what is waited for now",
    "survey_stamp": "whose ledger it is",
    "clean_ups": "when somebody cleaned up",
    "cleaned_nights": "what was cleaned up",
    "deletions": "what left the disk, and no part of what a night made",
    "disk_samples": "how full this machine's disks were",
    "disk_warnings": "what was said of them",
    "real_bogus_models": "since when a model is in use",
}
"""Tables that are no part of a night's outcome, and why."""

TABLES = tuple(
    name for name in named_queries("fingerprint").available_queries
    if name not in ("tables", "packet_places", "deleted_places") and not name.endswith("_cursor")
)  # fmt: skip
"""Tables that are compared: each has a query of its name."""

SHORT = 16  # characters of a part's hash


def fingerprint(value: Any) -> str:
    """Return a short hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def table_members(ledger: Ledger, table: str) -> Members:
    """Return the members of one table."""
    return rows_of((row["key"], row["content"]) for row in ledger.rows("fingerprint", table))


def rows_of(rows: Iterable[tuple[str, dict[str, Any]]]) -> Members:
    """Return rows as members; a key that comes again is numbered."""
    members: Members = {}
    for key, content in rows:
        name, number = key, 1
        while name in members:
            number += 1
            name = f"{key} ({number})"
        members[name] = {column: fingerprint(value) for column, value in content.items()}
    return members
