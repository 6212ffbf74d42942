"""How full the disk of a node's temporary files is: each job says it in its result, so that no job is made for it."""

import os
import tempfile

__all__ = ["scratch_of_node"]


def scratch_of_node() -> dict[str, str | int]:
    """Return the folder of temporary files, and the bytes of its disk: all, and those free to this user."""
    folder = tempfile.gettempdir()
    try:
        status = os.statvfs(folder)
    except OSError:
        return {}
    return {
        "folder": folder,
        "total_bytes": status.f_blocks * status.f_frsize,
        "free_bytes": status.f_bavail * status.f_frsize,
    }
