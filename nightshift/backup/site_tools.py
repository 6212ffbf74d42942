"""What barman or pgBackRest say of the backups that they take of the ledger; no backup is taken here."""

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

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
    found = _json(said, "barman").get(server)
    if not isinstance(found, list):
        raise _not_understood("barman", f"nothing is said of {server}")
    good = [b for b in found if b.get("status") == "DONE" and str(b.get("end_time_timestamp", "")).isdecimal()]
    if not good:
        return "", None
    newest = max(good, key=lambda backup: int(backup["end_time_timestamp"]))
    return str(newest["backup_id"]), datetime.fromtimestamp(int(newest["end_time_timestamp"]), UTC)


def newest_of_pgbackrest(said: str, stanza: str) -> tuple[str, datetime | None]:
    """Return the newest good backup in an answer of ``pgbackrest info --output=json``.

    Raises
    ------
    NeedsOperator
        If the stanza is not there, or its status is not ``ok`` for another cause than that no backup was taken.
    """
    answer = _json(said, "pgbackrest")
    found = next((s for s in answer if isinstance(s, dict) and s.get("name") == stanza), None)
    if found is None:
        raise _not_understood("pgbackrest", f"nothing is said of the stanza {stanza}")
    status = found.get("status", {})
    good = [b for b in found.get("backup", []) if not b.get("error")]
    if status.get("code") not in (0, 2):  # 2: no valid backups
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"pgbackrest says of {stanza}: {status.get('message')}. `pgbackrest check` tells why.",
        )
    if not good:
        return "", None
    newest = max(good, key=lambda backup: int(backup["timestamp"]["stop"]))
    return str(newest["label"]), datetime.fromtimestamp(int(newest["timestamp"]["stop"]), UTC)


def _json(said: str, tool: str) -> Any:
    try:
        return json.loads(said)
    except ValueError as error:
        raise _not_understood(tool, str(error)) from error


def _not_understood(tool: str, why: str) -> NeedsOperator:
    return NeedsOperator(Reason.INTERNAL_ERROR, f"what {tool} says of its backups is not understood: {why}")


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
