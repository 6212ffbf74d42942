"""What barman or pgBackRest say of the backups that they take of the ledger; no backup is taken here."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from nightshift.errors import NeedsOperator, Retry
from nightshift.settings.backup import BackupPolicy
from nightshift.vocabulary import Reason

__all__ = ["newest_of_barman", "newest_of_pgbackrest", "site_backup"]

TIMEOUT_S = 120.0


def site_backup(policy: BackupPolicy) -> tuple[str, datetime | None]:
    """Return the name of the newest good backup of the site's own tool, and when it ended; empty without one.

    Raises
    ------
    NeedsOperator
        If the tool is not there, says that something is wrong, or answers in a way that is not understood.
    """
    if policy.by == "barman":
        _asked(["barman", "-q", "check", "--nagios", policy.server])
        return newest_of_barman(_asked(["barman", "-f", "json", "list-backup", policy.server]), policy.server)
    said = _asked(["pgbackrest", "info", "--output=json", f"--stanza={policy.server}"])
    return newest_of_pgbackrest(said, policy.server)


def newest_of_barman(said: str, server: str) -> tuple[str, datetime | None]:
    """Return the newest good backup in an answer of ``barman -f json list-backup SERVER``."""
    with _understood("barman"):
        good = [backup for backup in json.loads(said)[server] if backup["status"] == "DONE"]
        ends = {str(backup["backup_id"]): int(backup["end_time_timestamp"]) for backup in good}
    return _newest(ends)


def newest_of_pgbackrest(said: str, stanza: str) -> tuple[str, datetime | None]:
    """Return the newest good backup in an answer of ``pgbackrest info --output=json``.

    Raises
    ------
    NeedsOperator
        If the stanza is not there, or its status is not ``ok`` for another cause than that no backup was taken.
    """
    with _understood("pgbackrest"):
        found = next(answer for answer in json.loads(said) if answer["name"] == stanza)
        status = found["status"]["code"], found["status"]["message"]
        good = [backup for backup in found["backup"] if not backup["error"]]
        ends = {str(backup["label"]): int(backup["timestamp"]["stop"]) for backup in good}
    if status[0] not in (0, 2):  # 2: no valid backups
        raise NeedsOperator(
            Reason.INTERNAL_ERROR, f"pgbackrest says of {stanza}: {status[1]}. `pgbackrest check` tells why."
        )
    return _newest(ends)


def _newest(ends: Mapping[str, int]) -> tuple[str, datetime | None]:
    """Return the name that ended last and when, of seconds since 1970 by name."""
    if not ends:
        return "", None
    name = max(ends, key=lambda name: ends[name])
    return name, datetime.fromtimestamp(ends[name], UTC)


@contextmanager
def _understood(tool: str) -> Iterator[None]:
    """Turn an answer of another form than the tool's documents say into an error that says so."""
    try:
        yield
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR, f"what {tool} says of its backups is not understood: {error!r}"
        ) from error


def _asked(command: Sequence[str]) -> str:
    """Run one of the tools' commands and return what it printed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR, f"{command[0]} is not installed on this machine, and backup.by names it"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Retry(Reason.INTERNAL_ERROR, f"{command[0]} did not answer within {TIMEOUT_S:.0f} s") from error
    if done.returncode:
        text = " ".join((done.stdout + done.stderr).split())[-600:]
        raise NeedsOperator(Reason.INTERNAL_ERROR, f"`{' '.join(command)}` says that something is wrong: {text}")
    return done.stdout
