"""Whether the ledger answers, takes writes and has connections left."""

import time

from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import preflight as preflight_queries
from nightshift.night_plan.plan_tables import size
from nightshift.preflight.check import Afternoon, Finding, check, green, red, unknown, yellow

__all__ = ["check_ledger"]

SLOW_S = 0.5  # of one small question
NEARLY_ALL = 0.8  # of the connections that the server allows


@check("database", "Ledger")
def check_ledger(afternoon: Afternoon) -> Finding:
    """Ask the ledger for what it says of itself. That its schema is this code's was seen when it was opened."""
    ledger, began = afternoon.context.ledger, time.monotonic()
    server, revision = preflight_queries.server(ledger), ledger_queries.revision(ledger)
    seconds = time.monotonic() - began
    if server is None:
        return unknown("The ledger's server says nothing of itself.", "Look at the log of PostgreSQL.")
    copies = f"{server.replicas} replicas copy it" if server.replicas else "no replica copies it"
    sentence = (
        f"It answers in {1e3 * seconds:.0f} ms, has schema {revision} and {size(server.bytes)}; {server.connections} "
        f"of {server.connections_most} connections are open, {copies}; "
        "the room on its own disk cannot be seen from here"
    )
    if server.read_only:
        return red(sentence + "; it takes no writes", "Let NIGHTSHIFT_LEDGER name the server that takes writes.")
    if server.connections > NEARLY_ALL * server.connections_most:
        return yellow(sentence, "See who holds connections, or raise max_connections.", number=server.connections)
    if seconds > SLOW_S:
        return yellow(sentence, "See what keeps the server busy.", number=round(seconds, 3), unit="s")
    return green(sentence, number=round(1e3 * seconds, 1), unit="ms")
