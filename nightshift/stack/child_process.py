"""``python -m nightshift.stack.child_process NAME COMMAND...``: it, once no earlier life of the part is left.

A part that is killed may leave children behind, which hold its port, its place in the database or its locks; the next
life of it would wait for them in vain. A part does not see the mail account's login unless it sends mail, nor the
addresses of people's channels unless it sends messages.
"""

import os
import sys
from contextlib import suppress

import psutil

from nightshift.stack.service_names import FOR_MESSAGES, MAIL_LOGIN, MESSAGES, PART, SEND_MAIL, TOKEN

__all__ = ["main"]

GONE_WITHIN_S = 5.0


def left_behind(name: str) -> list[psutil.Process]:
    """Return the processes of earlier lives of a part of this stack, by what they have in their environment."""
    mine = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            around = process.environ() if process.pid not in mine else {}
            if around.get(PART) == name and around.get(TOKEN) == os.environ.get(TOKEN):
                found.append(process)
    return found


def hidden_from(name: str) -> list[str]:
    """Return the variables that a part does not see."""
    of_channels = os.environ.get(FOR_MESSAGES, "").split()
    return [*(MAIL_LOGIN if name not in SEND_MAIL else ()), *(of_channels if name != MESSAGES else ())]


def main(arguments: list[str]) -> None:
    """End what is left of the part, then be it."""
    name, *command = arguments
    left = left_behind(name)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=GONE_WITHIN_S)
    for variable in hidden_from(name):
        os.environ.pop(variable, None)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
