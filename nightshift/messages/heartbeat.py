"""The sign of life that something off the machine waits for while a night is open.

It is sent only where somebody may rely on it: the ledger answers, Airflow's parts live and the inbox is looked at.
Where something of that is dead, it says so instead (at ``<url>/fail``, as healthchecks.io has it).
"""

import hashlib
import hmac
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from nightshift.files import write_json
from nightshift.settings.messages import Heartbeat as HeartbeatSettings

__all__ = ["SIGNATURE", "BeatingHeart", "NightBeat", "signature"]

SIGNATURE = "X-Nightshift-Signature"
ANSWER_WITHIN_S = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NightBeat:
    """What a beat says of a night.

    Parameters
    ----------
    site : str
    night : date or None
        None where none is open.
    state : str
        Of the night; ``closed`` in its last beat.
    deadline_in_s : float or None
        Until when it is to be closed, in real seconds from now.
    """

    site: str
    night: date | None
    state: str
    deadline_in_s: float | None


def signature(secret: str, body: bytes) -> str:
    """Return what a beat is signed with."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class BeatingHeart:
    """Sends the beats of each site.

    Parameters
    ----------
    settings : HeartbeatSettings
    survey : str
        Its name.
    folder : Path
        Where it remembers the number of its last beat, and which nights it beats for.
    """

    def __init__(self, settings: HeartbeatSettings, survey: str, folder: Path):
        self.settings, self._survey, self._path = settings, survey, folder / "heartbeat.json"
        self._number, self._beating = 0, dict[str, str]()
        try:
            kept = json.loads(self._path.read_text())
            self._number, self._beating = int(kept["number"]), dict(kept["beating"])
        except (OSError, ValueError, TypeError, KeyError):
            pass

    @property
    def wanted(self) -> bool:
        """Whether a URL is set."""
        return bool(os.environ.get(self.settings.url_variable))

    def beat(self, nights: Sequence[NightBeat], *, well: bool, dead: Mapping[str, str]) -> None:
        """Send a beat for each site.

        Parameters
        ----------
        nights : sequence of NightBeat
            Of each site that has an open night, or of every site where it beats by day too.
        well : bool
            Whether the beat can vouch for everything. Where it cannot, none is sent until something is dead.
        dead : mapping of str to str
            What is dead, and why.
        """
        if not well and not dead:
            return
        closed = [] if dead else self._closed(nights)
        for beat in (*nights, *closed):
            if self._send(beat, dead) and not dead:
                self._remember(beat)

    def _closed(self, nights: Sequence[NightBeat]) -> list[NightBeat]:
        """Return the last beat of each night that is open no more."""
        still = {(each.site, str(each.night)) for each in nights}
        return [
            NightBeat(site, date.fromisoformat(night), "closed", None)
            for site, night in self._beating.items()
            if (site, night) not in still
        ]

    def _remember(self, beat: NightBeat) -> None:
        before = dict(self._beating)
        if beat.state == "closed":
            if self._beating.get(beat.site) == str(beat.night):
                del self._beating[beat.site]
        elif beat.night is not None:
            self._beating[beat.site] = str(beat.night)
        if before != self._beating:
            self._save()

    def _save(self) -> None:
        write_json(self._path, {"number": self._number, "beating": self._beating})

    def _send(self, beat: NightBeat, dead: Mapping[str, str]) -> bool:
        """Send one beat and return whether it was taken; why not goes to the log, with no URL in it."""
        now = datetime.now(UTC)
        self._number = max(self._number + 1, int(now.timestamp()))  # rises whatever the clock does
        self._save()
        body = json.dumps(_content(beat, self._survey, self._number, now, self.settings.every_s, dead)).encode()
        secret = os.environ.get(self.settings.signed_by, "")
        headers = {"Content-Type": "application/json"} | ({SIGNATURE: signature(secret, body)} if secret else {})
        url = os.environ.get(self.settings.url_variable, "").replace("{site}", beat.site)
        try:
            answer = httpx.post(
                url.rstrip("/") + ("/fail" if dead else ""), content=body, headers=headers, timeout=ANSWER_WITHIN_S
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("the heartbeat of %s was not taken: %s", beat.site, type(error).__name__)
            return False
        if not answer.is_success:
            log.warning("the heartbeat of %s was not taken: %s", beat.site, answer.status_code)
        return answer.is_success


def _content(
    beat: NightBeat, survey: str, number: int, now: datetime, every_s: float, dead: Mapping[str, str]
) -> dict[str, Any]:
    left = beat.deadline_in_s
    return {
        "survey": survey,
        "site": beat.site,
        "night": str(beat.night) if beat.night else None,
        "state": beat.state,
        "deadline": (now + timedelta(seconds=left)).isoformat(timespec="seconds") if left is not None else None,
        "deadline_in_s": left,  # by which a receiver needs no clock that agrees with this one
        "number": number,
        "every_s": every_s,
        "well": not dead,
        "dead": dict(dead),
    }
