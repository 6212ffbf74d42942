"""The process that tells people: reads events, writes messages, delivers them, and beats while a night is open.

One thread works with the ledger. The other never waits for it: it notices that the ledger does not answer, also where
a question hangs, tells that, and sends the heartbeat or withholds it.
"""

import logging
import select
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nightshift.clock import Clock, clock_from_environment
from nightshift.context import deployment_from_environment, open_context
from nightshift.errors import NightshiftError, Retry
from nightshift.ledger import Ledger, open_ledger
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.notices import DueNotices
from nightshift.ledger.queries import messages as message_queries
from nightshift.messages.channels import Carrier
from nightshift.messages.heartbeat import BeatingHeart, NightBeat
from nightshift.messages.listeners import Listeners
from nightshift.messages.silent_ledger import SilentLedger
from nightshift.messages.telling import tell
from nightshift.messages.vouching import Parts, airflow_address, airflow_health, say_parts
from nightshift.night_end.close import overdue
from nightshift.settings import Deployment, SettingsError

__all__ = ["Messenger", "Round"]

ROUND_EVERY_S = 2.0
NIGHTS_EVERY_S = 60.0  # how often nights are looked for that should have closed
LOOK_EVERY_S = 1.0  # of the thread that does not wait for the ledger
DAY_S = 86400.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What the ledger said in one round.

    Parameters
    ----------
    at_s : float
        When, in steady seconds.
    nights : sequence of NightBeat
        The newest open night of each site that has one.
    looked_s : float or None
        For how long the inbox had not been looked at.
    """

    at_s: float
    nights: Sequence[NightBeat] = ()
    looked_s: float | None = None


class Messenger:
    """The process.

    Parameters
    ----------
    folder : Path
        Where it remembers what must not depend on the ledger.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.deployment = deployment_from_environment()
        self.listeners = Listeners.of(self.deployment)
        settings = self.listeners.settings
        self._clock: Clock = clock_from_environment()
        self._stop = threading.Event()
        self._last, self._answered = Round(time.monotonic()), False
        self._silence = SilentLedger(folder, self.listeners, self.deployment.title)
        self._carrier, self._own_carrier = (Carrier(settings.answer_within_s) for _ in range(2))  # one a thread
        self._heart = BeatingHeart(settings.heartbeat, self.deployment.name, folder)
        address = airflow_address()
        self._parts = Parts(settings, lambda: airflow_health(address))

    def stop(self, *_: object) -> None:
        """End after the present round; a signal's handler."""
        self._stop.set()

    def run(self) -> None:
        """Tell people until it is stopped."""
        worker = threading.Thread(target=self._work_with_ledger, daemon=True)
        worker.start()
        beat_at = 0.0
        while not self._stop.wait(LOOK_EVERY_S):
            silent_s = time.monotonic() - self._last.at_s
            self._silence.look(silent_s, self._own_carrier, datetime.now(UTC), answered=self._answered)
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + self.listeners.settings.heartbeat.every_s
                self._beat(silent_s)
        worker.join(5)

    # --- without the ledger --------------------------------------------------------------------------------

    def _beat(self, silent_s: float) -> None:
        looked_s = self._last.looked_s
        self._parts.look(silent_s, None if looked_s is None else looked_s + silent_s)
        nights = list(self._last.nights)
        if self.listeners.settings.heartbeat.by_day:
            with_night = {each.site for each in nights}
            nights += [
                NightBeat(site, None, "no night", None) for site in self.listeners.sites if site not in with_night
            ]
        if self._heart.wanted:
            self._heart.beat(nights, well=self._parts.all_well, dead=self._parts.dead)

    # --- with the ledger -----------------------------------------------------------------------------------

    def _work_with_ledger(self) -> None:
        notices = DueNotices("nightshift_events")
        nights_at = tidy_at = 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with open_ledger() as ledger:
                    while not self._stop.is_set():
                        self.round(ledger)
                        now = time.monotonic()
                        if now >= nights_at:
                            nights_at = now + NIGHTS_EVERY_S
                            self._call_about_overdue_nights()
                        if now >= tidy_at:
                            tidy_at = now + DAY_S
                            self._forget_what_is_old(ledger)
                        _wait(notices, ROUND_EVERY_S)
            except Retry as error:
                log.warning("the ledger does not answer: %s", error)
            except Exception:
                log.exception("a round failed; the next one begins anew")
            self._stop.wait(max(0.0, ROUND_EVERY_S - (time.monotonic() - began)))

    def round(self, ledger: Ledger) -> None:
        """Do once what is done every few seconds: one process at a time, so that nothing is told twice."""
        self._read_settings()
        nights = _nights(ledger, self._clock, self.listeners.settings.heartbeat.after_noon_h)
        looked_s = message_queries.looked_s(ledger)
        try:
            with advisory_lock(ledger, LockedWork.MESSAGES, wait_s=0):
                self._tell(ledger, [each.site for each in nights])
        except Busy:
            log.warning("another process tells people already; this one waits")
        # a round that fails counts as a ledger that is silent
        self._last, self._answered = Round(time.monotonic(), nights, looked_s), True

    def _tell(self, ledger: Ledger, open_sites: Sequence[str]) -> None:
        self._silence.write_down(ledger)
        say_parts(ledger, self._parts.wrong, self._parts.dead)
        while not self._stop.is_set() and tell(
            ledger, self.listeners, self._carrier, survey=self.deployment.title, open_sites=open_sites,
            now=datetime.now(UTC),
        ):  # fmt: skip
            self._last = replace(self._last, at_s=time.monotonic())  # many messages are no silence

    def _read_settings(self) -> None:
        """Take the settings as the files hold them now; where they do not load, those from before serve."""
        try:
            deployment: Deployment = deployment_from_environment()
        except (SettingsError, NightshiftError) as error:
            log.warning("the settings are kept as they were: %s", error)
            return
        if deployment == self.deployment:
            return
        self.deployment, self.listeners = deployment, Listeners.of(deployment)
        settings = self.listeners.settings
        self._silence.listeners, self._parts.settings, self._heart.settings = (
            self.listeners,
            settings,
            settings.heartbeat,
        )

    def _call_about_overdue_nights(self) -> None:
        with open_context() as context:
            for site in context.sites():
                overdue(site)

    def _forget_what_is_old(self, ledger: Ledger) -> None:
        days = max(survey.storage.keep_events_days for survey in self.deployment.surveys)
        message_queries.forget_old_troubles(ledger, older_than_days=days)
        message_queries.forget_old_messages(ledger, older_than_days=days)


def _nights(ledger: Ledger, clock: Clock, after_noon_h: float) -> list[NightBeat]:
    """Return the newest night under way of each site, with how long it has until it is to be closed."""
    now, rate = clock.now(), float(getattr(clock, "rate", 1.0))
    found = {}
    for row in message_queries.nights_under_way(ledger, now=now):
        left = ((row.ends - now).total_seconds() + after_noon_h * 3600) / rate
        found[row.site] = NightBeat(row.site, row.night, row.state, left)
    return list(found.values())


def _wait(notices: DueNotices, seconds: float) -> None:
    """Return when an event was written, or after a while."""
    notices.listen()
    if not notices.open:
        time.sleep(seconds)
        return
    select.select([notices], [], [], seconds)
    notices.take()
