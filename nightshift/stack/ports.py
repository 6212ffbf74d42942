"""The TCP ports of the parts, each of which can be changed, checked before anything starts."""

import errno
import os
import socket
from dataclasses import dataclass, fields

from nightshift.loopback import LOOPBACK, free_ports
from nightshift.settings import SettingsError

__all__ = ["Ports", "check_free", "ports_from_environment"]

PREFIX = "NIGHTSHIFT_PORT_"


@dataclass(frozen=True)
class Ports:
    """One port a part, all on loopback. The embedded broker chooses its own and writes them to a file."""

    airflow: int = 8080  # Airflow's page and the console
    ledger: int = 15432  # the embedded PostgreSQL
    smtp: int = 12525  # the sink that keeps the mail as a file

    def named(self) -> dict[str, int]:
        """Return the ports by the name of their part."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def ports_from_environment() -> Ports:
    """Return the ports that ``NIGHTSHIFT_PORT_AIRFLOW``, ``..._LEDGER`` and ``..._SMTP`` name; 0 means any free one.

    Raises
    ------
    SettingsError
        If one is not a port, or two are the same.
    """
    chosen: dict[str, int] = {}
    for name, default in Ports().named().items():
        text = os.environ.get(PREFIX + name.upper()) or str(default)
        if not text.isascii() or not text.isdigit() or int(text) > 65535:
            raise SettingsError(f"{PREFIX}{name.upper()}={text!r}: a port is a number from 1 to 65535, or 0 for any")
        port = int(text) or free_ports(1, set(chosen.values()))[0]
        if port in chosen.values():
            raise SettingsError(f"{PREFIX}{name.upper()}={port}: another part has this port already")
        chosen[name] = port
    return Ports(**chosen)


def check_free(ports: Ports, names: frozenset[str]) -> None:
    """Raise unless each of the named parts can have its port.

    Raises
    ------
    SettingsError
        Naming every taken port and the variable that changes it.
    """
    lines = []
    for name, port in ports.named().items():
        if name in names and (why := _taken(port)):
            upper = name.upper()
            lines.append(
                f"port {port}, wanted for {name}, {why}: "
                f"choose another with PORT_{upper}=<number> for make, or {PREFIX}{upper}=<number>"
            )
    if lines:
        raise SettingsError("\n".join(lines))


def _taken(port: int) -> str:
    """Return why a port cannot be had, or nothing."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another program"
            return f"cannot be had ({error.strerror})"
    return ""
