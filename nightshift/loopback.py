"""This machine's own ports: what listens on them, and which are free."""

import socket
from collections.abc import Container
from contextlib import ExitStack

__all__ = ["LOOPBACK", "free_ports", "listens"]

LOOPBACK = "127.0.0.1"


def listens(port: int) -> bool:
    """Return whether something accepts connections on a port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(number: int, taken: Container[int] = ()) -> list[int]:
    """Return so many different ports that nothing listens on and that are not among those taken."""
    found: list[int] = []
    with ExitStack() as held:  # each stays held until all are found, so that none comes twice
        while len(found) < number:
            probe = held.enter_context(socket.socket())
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
            if port not in taken:
                found.append(port)
    return found
