"""Which nodes to leave out for a while, because tasks were lost or could not write there again and again."""

import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

__all__ = ["NodeFailures"]

FAILURES = 3  # on one node, within the window
WINDOW_S = 2 * 3600.0
MOST = 4  # nodes left out at once: beyond that something else than a node is wrong


class NodeFailures:
    """Failures of the infrastructure, one file each, by node. A failure is forgotten when the window has passed.

    Parameters
    ----------
    folder : Path
    failures : int
        From how many failures on a node is left out.
    window_s : float
    most : int
        How many nodes are left out at most, those with most failures first.
    """

    def __init__(self, folder: Path, *, failures: int = FAILURES, window_s: float = WINDOW_S, most: int = MOST):
        self.folder = folder
        self.failures = failures
        self.window_s = window_s
        self.most = most

    def add(self, node: str, key: str, index: int) -> None:
        """Write down that a task was lost, or could not write, on a node; the same one of an array counts once."""
        if not node:
            return
        place = self.folder / quote(node, safe="")
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{key}.{index}").touch(exist_ok=True)

    def excluded(self, now: float | None = None) -> tuple[str, ...]:
        """Return the nodes to leave out, in alphabetical order."""
        counts = {unquote(place.name): self._count(place, now or time.time()) for place in self._places()}
        worst = sorted(counts, key=lambda node: (-counts[node], node))
        return tuple(sorted(node for node in worst[: self.most] if counts[node] >= self.failures))

    def _places(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self.folder.iterdir() if path.is_dir()]
        return []

    def _count(self, place: Path, now: float) -> int:
        count = 0
        with suppress(OSError):
            for path in place.iterdir():
                if now - path.stat().st_mtime <= self.window_s:
                    count += 1
                else:
                    path.unlink(missing_ok=True)
        return count
