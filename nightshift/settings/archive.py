"""What the archive of a night keeps, and how fast it is filled."""

from typing import Annotated

from pydantic import Field as Key

from nightshift.settings.base_table import Table

__all__ = ["ArchivePolicy"]

# --- policy.toml --------------------------------------------------------------------------------------------

KindOfFile = Annotated[str, Key(pattern=r"^(raw|manifest|quarantine|packets|alerts|product(/[a-z0-9_]+)?)$")]

# alerts: the night's tar of them; packets: each exposure's
EVERYTHING = ("raw", "product", "manifest", "quarantine", "packets", "alerts")


class ArchivePolicy(Table):
    """What of a night goes into its archive, and with how many threads."""

    keep: Annotated[tuple[KindOfFile, ...], Key(min_length=1)] = EVERYTHING  # "product/calibrated": of that kind only
    threads: Annotated[int, Key(ge=1, le=256)] | None = None  # that hash and copy; none: one a core of the machine

    def keeps(self, kind: str) -> bool:
        """Return whether files of a kind, such as ``raw`` or ``product/calibrated``, go into the archive."""
        return kind in self.keep or kind.split("/", 1)[0] in self.keep
