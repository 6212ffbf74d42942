"""Messages of the alerts' topics that are no packets: set aside, for whoever asks who sent them, and counted."""

import hashlib
import json
import logging
from datetime import datetime
from pathlib import Path

from nightshift.files import write_whole
from rehearsal.stand_ins.whole_lines import whole_lines

__all__ = ["NotPackets"]

LINES, CONTENTS = "not_packets.jsonl", "not_packets"
MOST_KEPT = 1000  # contents; of more only the line is kept, so that nobody fills the disk
LONGEST = 1_000_000  # bytes of one content
log = logging.getLogger(__name__)


class NotPackets:
    """Messages that were set aside, in a folder: a line each, and their contents by checksum.

    The same message read again, as after each start of the consumer, is no second one.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path):
        self._lines, self._contents = folder / LINES, folder / CONTENTS
        self._known = {json.loads(line)["sha256"] for line in whole_lines(self._lines)}

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._known)

    def take(self, topic: str, content: bytes, why: str, received_at: datetime) -> None:
        """Set a message aside, with the reason why it is no packet."""
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in self._known:
            return
        log.warning("a message of %s is no packet: %s", topic, why)
        if self.count < MOST_KEPT:
            write_whole(self._contents / sha256, content[:LONGEST])
        self._known.add(sha256)
        line = {
            "topic": topic, "bytes": len(content), "sha256": sha256, "why": why[:500],
            "received_at": received_at.isoformat(),
        }  # fmt: skip
        with self._lines.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
