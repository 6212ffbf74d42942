"""From files in the inbox to raw frames of the ledger, each exactly once, or to quarantine with a reason."""

from nightshift.ingest.arrival import Arrival
from nightshift.ingest.inbox import complete_files
from nightshift.ingest.ingest import ingest_all

__all__ = ["Arrival", "complete_files", "ingest_all"]
