"""What is looked at beside the inbox: whether the disks are there, the clock goes on evenly, and ingest goes on."""

from nightshift.health.clock_steps import look
from nightshift.health.storage import Storage, storage_trouble, wait_for_storage
from nightshift.health.stuck_inbox import INGEST, say_whether_ingest_is_stuck, stuck_ingest

__all__ = [
    "INGEST",
    "Storage",
    "look",
    "say_whether_ingest_is_stuck",
    "storage_trouble",
    "stuck_ingest",
    "wait_for_storage",
]
