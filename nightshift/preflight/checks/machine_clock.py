"""Whether the machine's clock is right, as far as that can be seen from here."""

import os
import re
import secrets
import shutil
import subprocess
import time

from nightshift.files import sync_folder
from nightshift.ledger.queries import preflight as preflight_queries
from nightshift.preflight.check import Afternoon, Finding, check, green, red, unknown, worst, yellow

__all__ = ["check_clock", "chrony_offset_s"]

ANSWER_S = 5.0
NO_TIME_SERVER = (
    "Whether the time of day itself is right cannot be known here: neither chrony nor systemd's time service answers"
)


@check("clock", "Clock")
def check_clock(afternoon: Afternoon) -> Finding:
    """Ask the time service; compare with the database's clock and the file system's, which may be other machines'."""
    findings = [
        _judged(afternoon, "the database", _database_offset_s(afternoon)),
        _judged(afternoon, "the depot's file system", _file_system_offset_s(afternoon)),
    ]
    if (offset := _from_chrony()) is not None:
        findings.append(_judged(afternoon, "chrony's servers", offset))
    elif (synchronised := _from_systemd()) is not None:
        findings.append(
            green("systemd keeps it by a time server") if synchronised
            else yellow("systemd says that it follows no time server", "Let it: timedatectl set-ntp true.")
        )  # fmt: skip
    else:
        findings.append(green(NO_TIME_SERVER))
    return worst(findings)


def _judged(afternoon: Afternoon, other: str, offset_s: float | None) -> Finding:
    if offset_s is None:
        return unknown(f"{other} gave no time", "See why it does not answer.")
    sentence, policy = f"{offset_s:+.3f} s against {other}", afternoon.policy
    number = round(offset_s, 3)
    if abs(offset_s) > policy.clock_fail_s:
        return red(sentence, "Set the clock, or that of the other one: chronyc tracking.", number=number, unit="s")
    if abs(offset_s) > policy.clock_warn_s:
        return yellow(sentence, "See that both follow a time server.", number=number, unit="s")
    return green(sentence, number=number, unit="s")


def _database_offset_s(afternoon: Afternoon) -> float | None:
    before = time.time()
    server = preflight_queries.server(afternoon.context.ledger)
    after = time.time()
    return None if server is None else (before + after) / 2 - server.at.timestamp()


def _file_system_offset_s(afternoon: Afternoon) -> float | None:
    """Return how far the clock is before that which stamps files in the depot, which may be a server's."""
    path = afternoon.context.depot.root / f".clock-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        before = time.time()
        path.touch()
        sync_folder(path.parent)
        stamped = path.stat().st_mtime
        return (before + time.time()) / 2 - stamped
    except OSError:
        return None
    finally:
        path.unlink(missing_ok=True)


def _from_chrony() -> float | None:
    text = _printed("chronyc", "-n", "tracking")
    return None if text is None else chrony_offset_s(text)


def chrony_offset_s(text: str) -> float | None:
    """Return the offset that `chronyc tracking` prints (seconds, positive where the clock is fast), None without."""
    match = re.search(r"System time\s*:\s*([\d.]+) seconds (fast|slow)", text)
    if match is None or "Not synchronised" in text:
        return None
    return float(match[1]) * (1 if match[2] == "fast" else -1)


def _from_systemd() -> bool | None:
    text = _printed("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return None if text is None or text.strip() not in ("yes", "no") else text.strip() == "yes"


def _printed(*command: str) -> str | None:
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
