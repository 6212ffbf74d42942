"""What must live for a night to go on: the ledger, Airflow's parts, and the watch over the inbox."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from nightshift.ledger import Ledger
from nightshift.ledger.queries import messages as message_queries
from nightshift.settings.messages import MessageSettings
from nightshift.vocabulary import EventLevel

__all__ = ["Parts", "airflow_address", "airflow_health", "say_parts"]

CONNECTION = "AIRFLOW_CONN_NIGHTSHIFT_API"
AIRFLOW_PARTS = {
    "metadatabase": "Airflow's database",
    "scheduler": "Airflow's scheduler",
    "triggerer": "Airflow's triggerer",
    "dag_processor": "Airflow's DAG processor",
}
PAGE, INBOX = "Airflow's page", "the watch over the inbox"
ANSWER_WITHIN_S = 5.0


def airflow_address() -> str | None:
    """Return where Airflow's page answers, by the connection through which runs are asked for; None without one."""
    text = os.environ.get(CONNECTION, "")
    if text.startswith("{"):
        known = json.loads(text)
        return f"http://{known['host']}:{known['port']}"
    place = urlsplit(text)
    return f"{place.scheme or 'http'}://{place.hostname}:{place.port or 8080}" if place.hostname else None


def airflow_health(address: str | None) -> dict[str, str]:
    """Return what is wrong with each of Airflow's parts, or an empty text; nothing without an address."""
    if address is None:
        return {}
    try:
        answer = httpx.get(f"{address}/api/v2/monitor/health", timeout=ANSWER_WITHIN_S, trust_env=False)
        health: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        return {PAGE: f"it does not answer ({type(error).__name__})"}
    found = {PAGE: ""}
    for key, name in AIRFLOW_PARTS.items():
        status = (health.get(key) or {}).get("status")
        since = (health.get(key) or {}).get(f"latest_{key}_heartbeat")
        found[name] = "" if status == "healthy" else f"it is {status}, its last sign of life was at {since}"
    return found


@dataclass
class Parts:
    """What is wrong, and for how long.

    Parameters
    ----------
    settings : MessageSettings
    ask_airflow : callable
        Returns what is wrong with each of Airflow's parts.
    clock : callable
        Steady seconds.
    """

    settings: MessageSettings
    ask_airflow: Callable[[], dict[str, str]]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._since: dict[str, float] = {}
        self.wrong: dict[str, str] = {}  # of each part that was asked for; an empty text where it is well

    def look(self, ledger_silent_s: float, looked_s: float | None) -> None:
        """Ask every part.

        Parameters
        ----------
        ledger_silent_s : float
            For how long the ledger has not answered.
        looked_s : float or None
            For how long the inbox was not looked at; None where it never was, or nobody knows.
        """
        heartbeat = self.settings.heartbeat
        wrong = dict(self.ask_airflow())
        late = ledger_silent_s >= self.settings.ledger_silent_s
        wrong["the ledger"] = f"it has not answered for {ledger_silent_s:.0f} s" if late else ""
        if looked_s is not None:
            unwatched = looked_s > heartbeat.inbox_unwatched_s
            wrong[INBOX] = f"nobody has looked at the inbox for {looked_s:.0f} s" if unwatched else ""
        now = self.clock()
        self._since = {part: self._since.get(part, now) for part, why in wrong.items() if why}
        self.wrong = wrong

    @property
    def all_well(self) -> bool:
        """Whether everything was asked and lives."""
        return bool(self.wrong) and not any(self.wrong.values())

    @property
    def dead(self) -> dict[str, str]:
        """What has been wrong for so long that people hear of it, with why."""
        now, after = self.clock(), self.settings.heartbeat.dead_after_s
        return {part: self.wrong[part] for part, since in self._since.items() if now - since >= after}


def say_parts(ledger: Ledger, wrong: Mapping[str, str], dead: Mapping[str, str]) -> None:
    """Write an event of each part that is dead by now, and of each that lives again; once each.

    The ledger itself is left out: of it `nightshift.messages.silent_ledger` tells.
    """
    for part, why in wrong.items():
        if part == "the ledger" or (why and part not in dead):
            continue
        last = message_queries.last_said(ledger, subject=part, kinds=["part_dead", "part_back"])
        if why and last != "part_dead":
            ledger.event(EventLevel.PAGE, "part_dead", f"{part[0].upper()}{part[1:]} is dead: {why}.", subject=part)
        elif not why and last == "part_dead":
            ledger.event(EventLevel.INFO, "part_back", f"{part[0].upper()}{part[1:]} lives again.", subject=part)
