"""Airflow's database is not backed up: when it is made anew, the ledger forgets that it has asked for runs."""

from nightshift.ledger import Ledger
from nightshift.ledger.queries import backup as backup_queries

__all__ = ["ask_again"]


def ask_again(ledger: Ledger) -> int:
    """Let the ledger ask again for every run that was under way, and return how many those were.

    What is due is asked for under the next name of its subject; arrays whose run is gone are collected by the sweep;
    a night that was closing begins to close again. May run again.
    """
    with ledger.transaction():
        runs = backup_queries.end_open_runs(ledger)
        backup_queries.open_closing_nights(ledger)
    return runs
