"""The partitions of a cluster, as sinfo prints them."""

import re
from dataclasses import dataclass

__all__ = ["PARTITIONS_FORMAT", "Partition", "read_partitions"]

PARTITIONS_FORMAT = "%P|%a|%T|%D"
TAKES_WORK = ("idle", "mixed", "allocated", "completing")


@dataclass(frozen=True)
class Partition:
    """One partition.

    Parameters
    ----------
    name : str
    is_default, is_up : bool
    nodes, nodes_up : int
        All of them, and those that take work or run some.
    """

    name: str
    is_default: bool
    is_up: bool
    nodes: int
    nodes_up: int


def read_partitions(text: str) -> list[Partition]:
    """Return the partitions that ``sinfo -h -o PARTITIONS_FORMAT`` printed, a line a state of nodes."""
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        if not (match := re.fullmatch(r"([^|*]+)(\*?)\|(\w+)\|([a-z]+)([^|]*)\|(\d+)", line.strip())):
            continue
        name, star, up, state, marks, count = match.groups()
        # a mark behind the state says that the node does not answer (*), is drained, rebooted or powered down
        takes = int(count) if state in TAKES_WORK and not marks else 0
        known = found.get(name, Partition(name, bool(star), up == "up", 0, 0))
        found[name] = Partition(name, known.is_default, known.is_up, known.nodes + int(count), known.nodes_up + takes)
    return list(found.values())
