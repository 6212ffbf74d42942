"""Load a dump into a database, whole or not at all."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from nightshift.backup.backup_files import Backup
from nightshift.backup.postgres_programs import Programs, failed

__all__ = ["EMPTY", "load_dump"]

EMPTY = "drop schema if exists public"  # refused by the server where anything is in it


def load_dump(programs: Programs, backup: Backup, url: str, first: Sequence[str] = (EMPTY,)) -> None:
    """Load a dump, which makes the schema ``public`` and all that is in it, in one transaction.

    It is committed only after pg_restore has said its last word and ended well; whoever is killed before that leaves
    the database as it was.

    Parameters
    ----------
    programs : Programs
    backup : Backup
    url : str
        The address of the database, as the role that is to own what it gets.
    first : sequence of str
        Statements that come before it, in the same transaction; by default an empty database is expected.

    Raises
    ------
    nightshift.errors.NeedsOperator
        With the program's words; the database is as it was before.
    """
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as said:
        reading = programs.start(
            "pg_restore", ["--file=-", "--no-owner", "--no-acl", str(backup.dump)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints,
        )  # fmt: skip
        writing = programs.start(
            "psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", "--file=-"], url,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        assert reading.stdout is not None and writing.stdin is not None  # both are pipes
        with reading.stdout as dump, suppress(BrokenPipeError), writing.stdin as script:
            script.write(";\n".join(["begin", *first, ""]).encode())
            shutil.copyfileobj(dump, script, 1 << 20)
            if reading.wait() == 0:
                script.write(b"\ncommit;\n")
        _check("psql", writing.wait(), said)
        _check("pg_restore", reading.wait(), complaints)


def _check(name: str, code: int, said: IO[bytes]) -> None:
    if code:
        said.seek(0)
        raise failed(name, code, said.read())
