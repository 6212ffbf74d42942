"""What the watch looks at beside the inbox: whether the disks are there, and whether the clock goes on evenly."""

from nightshift.health.clock_steps import look
from nightshift.health.storage import Storage, storage_trouble, wait_for_storage

__all__ = ["Storage", "look", "storage_trouble", "wait_for_storage"]
