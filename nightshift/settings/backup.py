"""How the ledger is backed up."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator
from pydantic import Field as Key

from nightshift.settings.base_table import Positive, Table

__all__ = ["BackupPolicy"]

Kept = Annotated[int, Key(ge=0, le=1000)]


def _absolute(folder: str) -> str:
    if folder and not PurePosixPath(folder).is_absolute():
        raise ValueError(f"{folder!r} is not an absolute path")
    return folder


Folder = Annotated[str, AfterValidator(_absolute)]


# --- policy.toml -------------------------------------------------------------------------------------------


class BackupPolicy(Table):
    """How the ledger is backed up, and how many of its backups stay. Of several instruments the first one's holds."""

    by: Literal["dump", "barman", "pgbackrest"] = "dump"  # who does it: Nightshift itself, or a tool of the site
    server: str = ""  # of barman: its server's name; of pgbackrest: its stanza
    folder: Folder = ""  # of the dumps; none: `backups` in the depot
    copy_to: Folder = ""  # folder on another disk, where each dump is copied and read back; none: no copy
    daily: Annotated[int, Key(ge=1, le=1000)] = 7  # days of which the newest dump stays
    weekly: Kept = 5  # weeks of which the newest stays
    monthly: Kept = 12  # months of which the newest stays
    oldest_h: Positive = 36.0  # an older newest backup is a trouble
    rehearsed_days: Positive = 9.0  # a restore that was rehearsed longer ago is a trouble
    scratch: Folder = ""  # where the rehearsal's server keeps its data; none: the machine's temporary folder
    programs: Folder = ""  # folder of the server's own pg_dump and pg_restore; none: those of the wheel, or installed

    @model_validator(mode="after")
    def _names_its_server(self) -> "BackupPolicy":
        if self.by != "dump" and not self.server:
            raise ValueError(f'by = "{self.by}" needs server, the name that {self.by} knows the ledger by')
        if self.server and (self.server.startswith("-") or not self.server.isprintable()):
            raise ValueError(f"{self.server!r} is not a name")
        return self
