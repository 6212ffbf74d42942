"""What the watch looks at beside the inbox: whether the disks are there, and whether the clock goes on evenly."""

from nightshift.guard.storage import Storage, storage_trouble, wait_for_storage
from nightshift.guard.time import look

__all__ = ["Storage", "look", "storage_trouble", "wait_for_storage"]
