"""The ledger of a home, whether its stack runs or not."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT

from nightshift.errors import NeedsOperator
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.loopback import free_ports
from nightshift.settings import SettingsError
from nightshift.stack.home import Home
from nightshift.stack.machine import Machine
from nightshift.stack.service import remembered_machine
from nightshift.stack.supervisor import Supervisor, tail
from nightshift.vocabulary import Reason

__all__ = ["ledger_of", "server_at_rest"]

UP_WITHIN_S = 60.0
DOWN_WITHIN_S = 30.0


@contextmanager
def ledger_of(home: Home) -> Iterator[str]:
    """Yield the address of a home's ledger; its database is started for the block where the stack does not run.

    Raises
    ------
    SettingsError
        If the home has no ledger.
    """
    outside = home.recall().get("outside", {}).get("ledger")
    if outside:
        yield outside
    elif Supervisor(home).pid() is not None:
        machine: Machine = remembered_machine(home.root.name)
        yield machine.ledger_url
    else:
        with server_at_rest(home) as server:
            server.create_database("nightshift")  # it may be from before databases had owners
            yield server.owner_url("nightshift")


@contextmanager
def server_at_rest(home: Home) -> Iterator[EmbeddedPostgres]:
    """Run the database of a home whose stack does not run, for the block; `SettingsError` where it has none."""
    if not (home.postgres / "data" / "PG_VERSION").exists():
        raise SettingsError(f"{home.root} has no ledger: no night was played there")
    (port,) = free_ports(1)
    server = EmbeddedPostgres(home.postgres, port)
    server.forget_dead_server()
    log = home.logs / "postgres-at-rest.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command, user=server.operating_system_user, cwd="/", stdout=output, stderr=output,
            env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while not server.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NeedsOperator(Reason.INTERNAL_ERROR, f"the ledger did not start:\n{tail(log, 10)}")
            time.sleep(0.1)
        yield server
    finally:
        process.send_signal(SIGINT)
        process.wait(DOWN_WITHIN_S)
