"""Messages that are told without a ledger: kept in a file, so that a restart remembers what was told.

As with the ledger's deliveries a try is written down before it is made, so that a process that is killed tells twice
rather than not at all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from nightshift.files import write_json
from nightshift.messages.channels import Carrier, Letter
from nightshift.messages.delivering import is_time
from nightshift.settings.messages import Channel

__all__ = ["KeptLetters"]

MOST = 200  # that were told are remembered


@dataclass(frozen=True)
class _Kept:
    key: str
    title: str
    body: str
    channels: tuple[str, ...]  # one after the other until one takes it
    tries: int = 0
    tried_at: str | None = None
    told: bool = False
    error: str = ""

    @property
    def channel(self) -> str:
        return self.channels[0]


class KeptLetters:
    """Messages in a file.

    Parameters
    ----------
    path : Path
        Of the file; it need not be there yet. One that does not read is begun anew.
    sender : str
        Of mails.
    tries_per_channel : int
    """

    def __init__(self, path: Path, *, sender: str, tries_per_channel: int = 3):
        self._path, self._sender, self._tries = path, sender, tries_per_channel
        self._letters: dict[str, _Kept] = {}
        try:
            rows = json.loads(path.read_text())
            self._letters = {row["key"]: _Kept(**{**row, "channels": tuple(row["channels"])}) for row in rows}
        except (OSError, ValueError, TypeError, KeyError):
            pass

    def put(self, key: str, title: str, body: str, channels: Sequence[str]) -> bool:
        """Keep a message that is to be told by the first of these channels that takes it; once by its key."""
        if key in self._letters or not channels:
            return False
        self._letters[key] = _Kept(key, title, body, tuple(channels))
        self._save()
        return True

    @property
    def waiting(self) -> list[str]:
        """The keys of what was not told yet."""
        return [key for key, kept in self._letters.items() if not kept.told]

    def told(self, key: str) -> bool:
        """Whether a message was told."""
        return key in self._letters and self._letters[key].told

    def tell(self, channels: Mapping[str, Channel], carrier: Carrier, now: datetime) -> int:
        """Try what is due, and return how many were told."""
        chosen: dict[str, _Kept] = {}
        for kept in self._letters.values():
            tried_at = datetime.fromisoformat(kept.tried_at) if kept.tried_at else None
            if not kept.told and kept.channel not in chosen and is_time(kept.tries, tried_at, now):
                chosen[kept.channel] = kept
        if not chosen:
            return 0
        for kept in chosen.values():
            self._letters[kept.key] = replace(kept, tries=kept.tries + 1, tried_at=now.isoformat())
        self._save()
        letters = {
            name: (channels[name], Letter(kept.key, kept.title, kept.body, self._sender))
            for name, kept in chosen.items()
            if name in channels
        }
        outcomes = carrier.carry(letters)
        for name, kept in chosen.items():
            outcome = outcomes.get(name)
            self._note(kept.key, told=outcome is not None and outcome.told, error=outcome.text if outcome else "")
        self._save()
        return sum(outcome.told for outcome in outcomes.values())

    def _note(self, key: str, *, told: bool, error: str) -> None:
        kept = replace(self._letters[key], told=told, error=error)
        if not told and kept.tries % self._tries == 0:  # the next channel's turn
            kept = replace(kept, channels=(*kept.channels[1:], kept.channels[0]))
        self._letters[key] = kept

    def _save(self) -> None:
        told = [key for key, kept in self._letters.items() if kept.told]
        for key in told[:-MOST]:
            del self._letters[key]
        write_json(self._path, [asdict(kept) for kept in self._letters.values()])
