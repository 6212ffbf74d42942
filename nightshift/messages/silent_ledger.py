"""The ledger itself does not answer: people hear of it by what this process holds in memory and in a file."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from nightshift.files import write_json
from nightshift.ledger import Ledger
from nightshift.messages.channels import Carrier
from nightshift.messages.kept_letters import KeptLetters
from nightshift.messages.listeners import Listeners, Said
from nightshift.messages.wording import duration
from nightshift.settings.messages import ON_CALL, Rule
from nightshift.vocabulary import EventLevel, event_kind

__all__ = ["SilentLedger"]

KIND = "ledger_silent"


class SilentLedger:
    """Tells once that the ledger does not answer, and once that it does again.

    Parameters
    ----------
    folder : Path
        Where it remembers what it told.
    listeners : Listeners
        Who hears; replaced when the settings change.
    survey : str
        Its title.
    """

    def __init__(self, folder: Path, listeners: Listeners, survey: str):
        self.listeners, self._survey = listeners, survey
        self._path = folder / "silent_ledger.json"
        self._letters = KeptLetters(
            folder / "letters.json", sender=listeners.mail_from,
            tries_per_channel=listeners.settings.tries_per_channel,
        )  # fmt: skip
        self._over: list[tuple[datetime, datetime]] = []  # to be written into the ledger
        self._since: datetime | None = None
        try:
            since = json.loads(self._path.read_text())["since"]
            self._since = datetime.fromisoformat(since) if since else None
        except (OSError, ValueError, TypeError, KeyError):
            pass

    def look(self, silent_s: float, carrier: Carrier, now: datetime, *, answered: bool) -> None:
        """Tell what changed; to be called every few seconds.

        Parameters
        ----------
        silent_s : float
            For how long the ledger has not answered; of one that never did, since this process began.
        carrier : Carrier
        now : datetime
            By the machine's clock.
        answered : bool
            Whether it ever did.
        """
        settings = self.listeners.settings
        if silent_s >= settings.ledger_silent_s:
            if self._since is None:
                self._set(now - timedelta(seconds=silent_s))
            self._call(now)
        elif answered and self._since is not None:
            self._answers_again(self._since, now)
        if self._letters.waiting:
            self._letters.tell(self.listeners.channels, carrier, now)

    def _set(self, since: datetime | None) -> None:
        self._since = since
        write_json(self._path, {"since": since.isoformat() if since else None})

    def _call(self, now: datetime) -> None:
        assert self._since is not None
        kind = event_kind(KIND)
        assert kind is not None
        text = (
            f"The ledger has not answered since {self._since:%H:%M} UTC, or what it says cannot be told: the log of "
            "the part `messages` has what failed. Nothing is lost: files wait in the inbox.\n\n"
            f"To do: {kind.first_step}\n{kind.command}\n"
        )
        for person in self._people(now):
            self._letters.put(
                f"ledger-{self._since:%Y%m%dT%H%M%S}-{person}", f"{self._survey}: the ledger does not answer", text,
                self._channels(person),
            )  # fmt: skip

    def _answers_again(self, since: datetime, now: datetime) -> None:
        text = f"The ledger answers again, after {duration(now - since)}."
        for person in self._people(now):
            if self._letters.told(f"ledger-{since:%Y%m%dT%H%M%S}-{person}"):
                key = f"ledger-{since:%Y%m%dT%H%M%S}-{person}-over"
                self._letters.put(key, f"{self._survey}: over: {text}", text, self._channels(person))
        self._over.append((since, now))
        self._set(None)

    def _rule(self) -> Rule | None:
        return self.listeners.rule_for(Said(EventLevel.PAGE, KIND), night_open=True)

    def _people(self, now: datetime) -> list[str]:
        """Return who hears: whom the rule names, and one more of those on call the longer it lasts."""
        rule = self._rule()
        if rule is None or self._since is None:
            return []
        waits = max(0.0, (now - self._since).total_seconds()) // self.listeners.settings.repeat_after_s
        on_call = self.listeners.on_call("", now) if ON_CALL in rule.to else ()
        return list(dict.fromkeys([*self.listeners.hear(rule, "", now), *on_call[: 1 + int(waits)]]))

    def _channels(self, person: str) -> list[str]:
        rule = self._rule()
        return [each.name for each in self.listeners.channels_for(person, (rule.channel if rule else None) or "")]

    def write_down(self, ledger: Ledger) -> None:
        """Write into the ledger, which answers again, how long it did not."""
        while self._over:
            since, until = self._over[0]
            ledger.event(
                EventLevel.WARNING, "ledger_silent",
                f"The ledger did not answer for {duration(until - since)}, from {since:%Y-%m-%d %H:%M} UTC on.",
            )  # fmt: skip
            self._over.pop(0)
