"""PostgreSQL's own programs: found by the server's version, called with the password out of sight."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from psycopg2.extensions import parse_dsn

from nightshift.errors import NeedsOperator
from nightshift.ledger.embedded import BINARIES
from nightshift.vocabulary import Reason

__all__ = ["Programs", "connection_environment", "programs_for"]

NEEDED = ("pg_dump", "pg_restore", "psql")
DEBIAN = Path("/usr/lib/postgresql")
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
}
LAST_WORDS = 800  # characters of what a program said that are repeated


@dataclass(frozen=True)
class Programs:
    """The programs of one PostgreSQL.

    Parameters
    ----------
    folder : Path
    major : int
        Its major version.
    """

    folder: Path
    major: int

    @property
    def can_serve(self) -> bool:
        """Whether a server of it can be started here."""
        return all(os.access(self.folder / name, os.X_OK) for name in ("postgres", "initdb"))

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        url: str = "",
        *,
        stdin: IO[bytes] | int,
        stdout: IO[bytes] | int,
        stderr: IO[bytes] | int,
    ) -> "subprocess.Popen[bytes]":
        """Start a program, connected to the database of an address where one is given."""
        return subprocess.Popen(
            [str(self.folder / name), *arguments], env=connection_environment(url), stdin=stdin, stdout=stdout,
            stderr=stderr,
        )  # fmt: skip

    def run(self, name: str, arguments: Sequence[str], url: str = "") -> str:
        """Run a program to its end and return what it printed.

        Raises
        ------
        NeedsOperator
            If it fails, with what it said.
        """
        done = subprocess.run(
            [str(self.folder / name), *arguments], env=connection_environment(url), capture_output=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode:
            raise failed(name, done.returncode, done.stderr)
        return done.stdout.decode(errors="replace")


def failed(name: str, code: int, said: bytes) -> NeedsOperator:
    """Return the error of a program that failed."""
    text = " ".join(said.decode(errors="replace").split())[-LAST_WORDS:]
    return NeedsOperator(Reason.INTERNAL_ERROR, f"{name} ended with code {code}: {text or 'it said nothing'}")


def connection_environment(url: str) -> dict[str, str]:
    """Return an environment in which PostgreSQL's programs find a database.

    Nothing of the address stands on a command line, where every user of the machine could read the password.
    """
    known = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    parts: Mapping[str, str] = parse_dsn(url) if url else {}
    unknown = sorted(set(parts) - set(VARIABLES) - {"application_name", "connect_timeout"})
    if unknown:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the ledger's address has {', '.join(unknown)}, which backups do not know: leave it out",
        )
    told = {VARIABLES[key]: str(value) for key, value in parts.items() if key in VARIABLES}
    return {
        **known,
        **told,
        "PGAPPNAME": "nightshift-backup",
        "PGTZ": "UTC",
        "LC_ALL": "C",
        "PGCONNECT_TIMEOUT": "10",
    }


def programs_for(version: int, folder: str = "") -> Programs:
    """Return programs that fit a server: of its major version, or the next newer one that is here.

    Parameters
    ----------
    version : int
        Of the server, as ``server_version_num`` says it.
    folder : str
        Where the site has them (``backup.programs``); empty: those of the wheel, and those that are installed.

    Raises
    ------
    NeedsOperator
        If all that are here are older than the server: pg_dump reads no server that is newer than itself.
    """
    major = version // 10_000
    found = [programs for place in _folders(folder) if (programs := _programs_in(place)) is not None]
    fitting = sorted((p for p in found if p.major >= major), key=lambda p: (p.major, not p.can_serve))
    if not fitting:
        here = ", ".join(f"{p.major} in {p.folder}" for p in found) or "none"
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the ledger's server is PostgreSQL {major}, and its programs here are {here}: install the client "
            f"programs of PostgreSQL {major} or newer, and name their folder (backup.programs in policy.toml)",
        )
    return fitting[0]


def _folders(folder: str) -> list[Path]:
    if folder:
        return [Path(folder)]
    newest = BINARIES.parents[1] / "pginstall18" / "bin"
    return [BINARIES, newest, *sorted(place / "bin" for place in DEBIAN.glob("[0-9]*"))]


@cache
def _programs_in(folder: Path) -> Programs | None:
    """Return what a folder holds; None where a program is missing."""
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
        return None
    said = subprocess.run([str(folder / "pg_dump"), "--version"], capture_output=True, text=True, check=False).stdout
    words = said.partition(")")[2].split()  # pg_dump (PostgreSQL) 16.14
    digits = words[0].split(".")[0] if words else ""
    return Programs(folder, int(digits)) if digits.isdecimal() else None
