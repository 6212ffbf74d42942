"""The context of a backup command: of the environment, or of a stack on this machine, whether it runs or not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nightshift.backup.reconciling import free_name
from nightshift.clock import clock_from_text
from nightshift.context import Context, open_context
from nightshift.depot import Depot
from nightshift.ledger import Ledger
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.ledger.revision import check_revision
from nightshift.ledger.stamp import stamp
from nightshift.settings import Deployment, SettingsError, load_deployment
from nightshift.stack.home import Home, Kind
from nightshift.stack.offline_ledger import ledger_of, server_at_rest
from nightshift.stack.supervisor import Supervisor

__all__ = ["forget_runs", "ledger_to_restore", "opened"]

LEDGER = "NIGHTSHIFT_LEDGER"


@contextmanager
def opened(survey: str) -> Iterator[Context]:
    """Open the context that the environment describes, or without one the home of a survey on this machine.

    The database of a home whose stack does not run is started for the block.
    """
    if os.environ.get(LEDGER):
        with open_context() as context:
            yield context
        return
    deployment, home = load_deployment(survey), Home.of(survey)
    with ledger_of(home) as url, Ledger(url) as ledger:
        check_revision(ledger)
        yield context_of_home(deployment, home, ledger)


def context_of_home(deployment: Deployment, home: Home, ledger: Ledger) -> Context:
    """Return the context of a home's folders with a ledger that is open."""
    stamp(ledger, deployment.name, deployment.site_names)
    clock = clock_from_text(home.recall().get("clock", "system"))
    return Context(deployment, ledger, Depot(home.depot), home.inbox, clock)


@contextmanager
def ledger_to_restore(deployment: Deployment, *, make: bool) -> Iterator[str]:
    """Yield the address of a ledger that is to be restored, perhaps empty: of the environment or of a home.

    Parameters
    ----------
    deployment : Deployment
    make : bool
        Whether an embedded database that is gone with its folder is made anew.

    Raises
    ------
    SettingsError
        If the home's stack runs, or has no database and none is to be made.
    """
    if os.environ.get(LEDGER):
        yield os.environ[LEDGER]
        return
    home = Home.of(deployment.name)
    if Supervisor(home).pid() is not None:
        raise SettingsError(
            f"the stack of {deployment.name} runs: `nightshift down --survey {deployment.name}` ends it"
        )
    if make and not home.recall().get("outside", {}).get("ledger"):
        home.make(Kind.LIVE)
        EmbeddedPostgres(home.postgres, 0).initialise()
    with ledger_of(home) as url:
        yield url


def forget_runs(survey: str) -> str:
    """Remove what Airflow and the pool know of runs and arrays that a restored ledger does not; say what was done.

    Airflow keeps the runs of after the backup under the names by which the ledger will ask for them again, and would
    not run them. The stack makes an empty database for it when it comes up; the ledger asks for what is due.
    """
    home = Home.of(survey)
    if os.environ.get(LEDGER) or not (home.postgres / "data" / "PG_VERSION").exists():
        return (
            "Airflow still has the runs of before: empty its database (`airflow db reset`) before it starts again, "
            "or it refuses to run what it has run already."
        )
    with server_at_rest(home) as server:
        server.drop_database("airflow")
    if home.spool.exists():
        home.spool.rename(free_name(home.spool))
    return "Airflow's database was dropped and the pool's spool put aside: the stack makes both anew."
