"""The night's tar of all alerts that left, in the order of their numbers."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightshift.alerts.tars import Member, read_member, write_members
from nightshift.archive.bags import Held, payload_name
from nightshift.archive.night_folder import Entry, NightFolder
from nightshift.archive.placing import Placed, appearing, make_durable
from nightshift.errors import NeedsOperator
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries.archive import Bag, Packet
from nightshift.vocabulary import Reason

__all__ = ["ALERTS_KIND", "AlertsTar", "alerts_tar_name"]

ALERTS_KIND = "alerts"


def alerts_tar_name(night: NightFolder) -> str:
    """Return the name of the tar of all the night's alerts."""
    return f"{night.context.deployment.name}_{night.night:%Y%m%d}_alerts.tar"


@dataclass(frozen=True)
class AlertsTar:
    """What the tar has to hold.

    Parameters
    ----------
    night : NightFolder
    packets : sequence of Packet
        In its order; empty where the night has no alerts, or the survey does not keep them.
    """

    night: NightFolder
    packets: Sequence[Packet]

    @classmethod
    def of(cls, night: NightFolder) -> "AlertsTar":
        """Return what the tar of a night has to hold, by the ledger."""
        if not night.context.archive_policy.keeps(ALERTS_KIND):
            return cls(night, ())
        return cls(night, archive_queries.packets(night.context.ledger, **night.key))

    @property
    def name(self) -> str:
        """Its name in the bag."""
        return alerts_tar_name(self.night)

    @property
    def digest(self) -> str:
        """A checksum over the packets' numbers and checksums: it tells whether a tar of them was made already."""
        lines = (f"{packet.candid} {packet.packet_sha256}\n" for packet in self.packets)
        digest = hashlib.sha256()
        for line in lines:
            digest.update(line.encode())
        return digest.hexdigest()

    def is_due(self, held: Mapping[str, Held]) -> bool:
        """Whether there are alerts, and the archive does not hold the tar of just them."""
        if not self.packets:
            return False
        made_of = next((bag.alerts_digest for bag in reversed(self.night.bags()) if bag.alerts_digest), None)
        known = held.get(self.name)
        return known is None or not self.night.is_there(known.row) or made_of != self.digest

    def put(self, bag: Bag) -> int:
        """Write the tar into a bag and enter it; return how many files that are.

        Raises
        ------
        NeedsOperator
            INPUT_LOST, if a packet is not what was sent.
        """
        target = self.night.path / bag.name / payload_name(self.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        written = self._written_to(target)
        make_durable(target.parent)
        path = target.relative_to(self.night.root).as_posix()
        ledger = self.night.context.ledger
        with ledger.transaction():
            entry = Entry(path, ALERTS_KIND, f"archive/{path}", written.sha256, written.bytes)
            added = self.night.enter([entry])
            archive_queries.set_alerts_digest(ledger, **self.night.key, version=bag.version, digest=self.digest)
        return added

    def _written_to(self, target: Path) -> Placed:
        with appearing(target, self.night.unfinished) as stream:
            write_members(stream, ((f"{packet.candid}.avro", self._content(packet)) for packet in self.packets))
            written = stream.written
        return written

    def _content(self, packet: Packet) -> bytes:
        """Read one packet out of its exposure's tar; it must be what was sent."""
        path = self.night.source(packet.packet_path)
        place = Member(packet.packet_offset, packet.packet_bytes, packet.packet_sha256)
        try:
            return read_member(path, place)
        except OSError as error:
            raise NeedsOperator(
                Reason.INPUT_LOST,
                f"{path}: it does not read ({error.strerror}), so the night's tar of alerts is not made. Restore it "
                "from its copy and archive the night again.",
            ) from error
