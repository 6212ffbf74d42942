"""Whose process this is, which nobody can make up as they can a name."""

import os
import pwd
import socket

__all__ = ["process_owner"]


def process_owner() -> str:
    """Return the account that the process runs as, and its machine: ``mira@host``."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return f"{name}@{socket.gethostname()}"
