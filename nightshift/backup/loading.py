"""Load a dump into a database, whole or not at all."""

import subprocess
import tempfile
from collections.abc import Sequence

from nightshift.backup.backup_files import Backup
from nightshift.backup.postgres_programs import Programs, failed

__all__ = ["load_dump"]


EMPTY = "drop schema if exists public"  # refused by the server where anything is in it


def load_dump(programs: Programs, backup: Backup, url: str, first: Sequence[str] = (EMPTY,)) -> None:
    """Load a dump, which makes the schema ``public`` and all that is in it, in one transaction.

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
        assert reading.stdout is not None  # it is a pipe
        writing = programs.start(
            "psql",
            ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null",
             *(f"--command={statement}" for statement in first), "--file=-"],
            url, stdin=reading.stdout, stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        reading.stdout.close()  # psql alone has it now
        codes = writing.wait(), reading.wait()
        for name, code, stream in (("psql", codes[0], said), ("pg_restore", codes[1], complaints)):
            if code:
                stream.seek(0)
                raise failed(name, code, stream.read())
