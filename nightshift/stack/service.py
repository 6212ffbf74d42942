"""A stack that is left running: up, down, status."""

import os
import shlex

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nightshift.clock import clock_from_text
from nightshift.health import INGEST, stuck_ingest
from nightshift.ledger import Ledger
from nightshift.ledger.queries import stack as stack_queries
from nightshift.ledger.queries import watch
from nightshift.pins.changes import changes_since_opening
from nightshift.settings import SettingsError, load_deployment
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import ADMIN, Machine, Outside
from nightshift.stack.ports import Ports, ports_from_environment
from nightshift.stack.supervisor import Supervisor

__all__ = ["down", "environment", "remembered_machine", "status", "up"]


def up(name: str) -> int:
    """Start every part of a survey and leave it running; return the exit code."""
    console = Console(highlight=False)
    deployment = load_deployment(name)
    home = Home.of(name)
    new = not (home.run / f"{ADMIN}.secret").exists()
    machine = Machine(deployment, home, ports_from_environment(), Outside.from_environment(), say=console.print)
    machine.check_can_start()
    home.make(Kind.LIVE)
    try:
        machine.start()
    except BaseException:
        machine.stop()
        raise
    console.print(f"\n{deployment.title} is up.")
    console.print(f"  inbox   {home.inbox}")
    console.print(f"  page    {machine.address}  (user {ADMIN})")
    if new:
        console.print(f"  password of {ADMIN}, shown this once: {home.secret(ADMIN)}", soft_wrap=True)
    kept = home.run / f"{ADMIN}.secret"
    console.print(f"  its password is kept in {kept}, readable by you alone", soft_wrap=True)
    console.print(f"  logs    {home.logs}")
    console.print(f"  `nightshift down --survey {name}` stops it.")
    return 0


def down(name: str) -> int:
    """End every part of a survey; return the exit code."""
    console = Console(highlight=False)
    load_deployment(name)
    supervisor = Supervisor(Home.of(name))
    if supervisor.pid() is None and not supervisor.left():
        console.print(f"nothing of {name} runs")
        return 0
    supervisor.stop()
    left = supervisor.left()
    if left:
        console.print(f"these processes did not end: {', '.join(str(p.pid) for p in left)}")
        return 1
    console.print(f"{name} is down; its nights stay in {supervisor.home.root}")
    return 0


def remembered_machine(name: str) -> Machine:
    """Return the machine that runs for a survey, on the ports that it was started with.

    Raises
    ------
    SettingsError
        If none runs.
    """
    deployment, home = load_deployment(name), Home.of(name)
    if Supervisor(home).pid() is None:
        raise SettingsError(f"nothing of {name} runs; `nightshift up --survey {name}` starts it")
    facts = home.recall()
    machine = Machine(deployment, home, Ports(**facts["ports"]), Outside(**facts.get("outside", {})))
    machine.clock = facts.get("clock", machine.clock)
    return machine


def environment(name: str) -> int:
    """Print the settings by which other commands find what runs; return 0."""
    for key, value in sorted(remembered_machine(name).environment().items()):
        if key.startswith(("NIGHTSHIFT_", "AIRFLOW_CONN_NIGHTSHIFT_")):
            print(f"export {key}={shlex.quote(value)}")
    return 0


def status(name: str) -> int:
    """Print which parts run and how the nights stand; return 0 if everything runs and takes files in."""
    console = Console(highlight=False)
    machine = remembered_machine(name)
    states = machine.supervisor.states()
    table = Table(box=None)
    for column in ("part", "state", "process", "since"):
        table.add_column(column)
    for part in machine.parts():
        state, pid, description = states.get(part.name, ("ABSENT", 0, ""))
        table.add_row(part.name, state, str(pid or ""), description.partition("uptime ")[2] or description)
    console.print(table)
    with Ledger(machine.ledger_url) as ledger:
        for site in machine.deployment.sites:
            for night in stack_queries.nights_here(ledger, site=site.name):
                at = f" at {site.name}" if machine.deployment.has_several_sites else ""
                console.print(f"night {night.night}{at} is {night.state}")
        waits = {wait.name: wait.why for wait in watch.waits(ledger)}
        if stuck := stuck_ingest(ledger, machine.home.inbox):
            waits[INGEST] = stuck
        for why in waits.values():
            console.print(f"[bold red]the night waits:[/] {escape(why)}")
        for change in changes_since_opening(ledger, name, clock_from_text(machine.clock).now()):
            console.print(change, markup=False)
    console.print(f"page {machine.address}, inbox {os.path.relpath(machine.home.inbox)}")
    running = all(states.get(part.name, ("",))[0] == "RUNNING" for part in machine.parts())
    return 0 if running and not stuck else 1
