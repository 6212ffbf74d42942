"""Something off the machine that waits for the heartbeat, and tells people when it stops.

It needs no ledger and knows nothing but what the beats say: whose they are, which night is open, and in how many
seconds it is to be closed. Those seconds count by its own clock, so that the two machines' clocks need not agree.
What it knows and what it told is kept in files: a restart remembers, and counts the silence from then on.

A beat must be signed with the shared secret, and its number must be higher than that of the last one: what somebody
recorded and sends again is refused.
"""

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput
from nightshift.files import write_json
from nightshift.messages.channels import Carrier
from nightshift.messages.heartbeat import signature
from nightshift.messages.kept_letters import KeptLetters
from nightshift.messages.wording import duration
from nightshift.settings.messages import Channel
from nightshift.vocabulary import Reason

__all__ = ["Receiver", "Watched"]

OPEN = ("open", "closing", "no night")  # beats are waited for; of a night in another state no more


@dataclass(frozen=True)
class Watched:
    """What is known of one site.

    Parameters
    ----------
    survey, site : str
    number : int
        Of its last beat.
    night : str or None
    state : str
    deadline : str or None
        By the receiver's clock.
    heard_at : str
        When the last beat came that said that all is well.
    dead : mapping of str to str
        What its last beat said is dead.
    silent_since : str or None
        Where people were told of silence: since when.
    late : bool
        Whether people were told that the night is not closed.
    """

    survey: str
    site: str
    number: int = 0
    night: str | None = None
    state: str = "no night"
    deadline: str | None = None
    heard_at: str = ""
    dead: Mapping[str, str] | None = None
    silent_since: str | None = None
    late: bool = False

    @property
    def name(self) -> str:
        """The survey and the site."""
        return f"{self.survey}/{self.site}"

    @property
    def waited_for(self) -> bool:
        """Whether a beat is expected."""
        return self.state in OPEN


class Receiver:
    """Keeps what the beats say, and tells people when they stop.

    Parameters
    ----------
    folder : Path
        Of its files.
    secret : str
        Shared with who sends the beats; empty: unsigned beats are taken.
    within_s : float
        So long without a beat that says that all is well: people are told.
    channels : sequence of Channel
        Each is told.
    sender : str
        Of mails.
    clock, steady : callable
        The machine's clock, and steady seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        secret: str,
        within_s: float,
        channels: Mapping[str, Channel],
        sender: str = "nightshift@localhost",
        carrier: Carrier | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = time.monotonic,
    ):
        self._secret, self._within_s, self._channels = secret, within_s, channels
        self._carrier = carrier or Carrier(20.0)
        self._clock, self._steady = clock, steady
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "watched.json"
        self._letters = KeptLetters(folder / "letters.json", sender=sender)
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = [Watched(**row) for row in json.loads(self._path.read_text())]
            self._watched = {each.name: each for each in known}
        self._heard_s = dict.fromkeys(self._watched, steady())  # silence counts from a restart on
        self._deadline_s = {name: self._seconds_until(each.deadline) for name, each in self._watched.items()}

    def _seconds_until(self, deadline: str | None) -> float | None:
        """Return a deadline in steady seconds: a step of the clock moves it no more."""
        if deadline is None:
            return None
        return self._steady() + (datetime.fromisoformat(deadline) - self._clock()).total_seconds()

    def status(self) -> list[dict[str, Any]]:
        """Return what is known of each site, for people."""
        with self._lock:
            return [asdict(each) for each in self._watched.values()]

    def take(self, body: bytes, signed: str) -> Watched:
        """Take a beat in.

        Parameters
        ----------
        body : bytes
        signed : str
            Its signature, as the header says it.

        Raises
        ------
        BadInput
            If it is not signed with the secret, was taken before, or does not read.
        """
        if self._secret and not hmac.compare_digest(signed, signature(self._secret, body)):
            raise BadInput(Reason.INTERNAL_ERROR, "the beat is not signed with the shared secret")
        said = _read(body)
        with self._lock:
            before = self._watched.get(f"{said['survey']}/{said['site']}", Watched(said["survey"], said["site"]))
            if said["number"] <= before.number:
                raise BadInput(Reason.INTERNAL_ERROR, f"beat {said['number']} came before")
            after = self._after(before, said)
            self._watched[after.name] = after
            self._tell_what_is_over(before, after)
            self._save()
        return after

    def _after(self, before: Watched, said: Mapping[str, Any]) -> Watched:
        now, left = self._clock(), said["deadline_in_s"]
        deadline = (now + timedelta(seconds=left)).isoformat() if left is not None else None
        self._deadline_s[before.name] = self._seconds_until(deadline)
        night, state = said["night"], said["state"]
        other_night = night != before.night
        known = replace(
            before, number=said["number"], night=night, state=state, deadline=deadline, dead=said["dead"] or None,
            late=before.late and not other_night,
        )  # fmt: skip
        if said["dead"] and before.heard_at:
            return known
        if not said["dead"]:
            known = replace(known, silent_since=None)
        self._heard_s[known.name] = self._steady()
        return replace(known, heard_at=now.isoformat())

    def _tell_what_is_over(self, before: Watched, after: Watched) -> None:
        now = self._clock()
        if before.silent_since is not None and after.silent_since is None:
            took = duration(now - datetime.fromisoformat(before.silent_since))
            self._put(after, "back", f"the heartbeat is back, after {took}", f"It said last: {_standing(after)}.")
        if before.late and (after.state not in OPEN or after.night != before.night):
            night = before.night or ""
            text = f"the night of {night} is closed"
            self._put(replace(after, night=night), "closed", text, f"{text[0].upper()}{text[1:]}.")

    # --- what is told --------------------------------------------------------------------------------------

    def look(self) -> None:
        """Tell people what has become late; to be called every few seconds."""
        with self._lock:
            before = dict(self._watched)
            for each in before.values():
                self._look_at(each)
            if before != self._watched:
                self._save()
        if self._letters.waiting:
            self._letters.tell(self._channels, self._carrier, self._clock())

    def _look_at(self, each: Watched) -> None:
        if not each.waited_for:
            return
        now, silent_s = self._clock(), self._steady() - self._heard_s[each.name]
        if each.silent_since is None and silent_s >= self._within_s:
            each = replace(each, silent_since=each.heard_at or now.isoformat())
            self._watched[each.name] = each
            dead = "; ".join(f"{part}: {why}" for part, why in (each.dead or {}).items())
            silent = "It says nothing: the machine, or the way to it, is down."
            why = f"It says that something is dead. {dead}." if dead else silent
            self._put(each, "silent", "no heartbeat that all is well", f"{why} It said last: {_standing(each)}.")
        deadline_s = self._deadline_s.get(each.name)
        if deadline_s is not None and not each.late and self._steady() >= deadline_s:
            self._watched[each.name] = replace(each, late=True)
            text = f"the night of {each.night} is not closed, and its deadline has passed"
            self._put(each, "late", text, f"{_standing(each)}. Look whether the machine runs: nightshift status.")

    def _put(self, each: Watched, what: str, title: str, text: str) -> None:
        """Keep a message for every channel; its key is of the beat, so that a restart does not tell it again."""
        head = f"{each.name}: {title}"
        for channel in self._channels:
            self._letters.put(f"{each.name}-{each.number}-{what}-{channel}", head, f"{head}.\n\n{text}\n", [channel])

    def _save(self) -> None:
        write_json(self._path, [asdict(each) for each in self._watched.values()])


def _standing(each: Watched) -> str:
    night = f"the night of {each.night} is {each.state}" if each.night else "no night is open"
    by = f", to be closed by {each.deadline[:16].replace('T', ' ')} UTC" if each.deadline else ""
    return f"{night}{by}; last good beat at {each.heard_at[:19].replace('T', ' ')} UTC"


def _read(body: bytes) -> dict[str, Any]:
    """Return what a beat says, with values of the types that are expected."""
    try:
        said = json.loads(body)
        left = said["deadline_in_s"]
        night = said["night"]
        return {
            "survey": str(said["survey"])[:100], "site": str(said["site"])[:100], "number": int(said["number"]),
            "night": None if night is None else str(night)[:10], "state": str(said["state"])[:20],
            "deadline_in_s": None if left is None else min(max(float(left), -1e7), 1e7),
            "dead": {str(part)[:100]: str(why)[:300] for part, why in dict(said.get("dead") or {}).items()},
        }  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(Reason.INTERNAL_ERROR, f"the beat does not read: {type(error).__name__}") from error
