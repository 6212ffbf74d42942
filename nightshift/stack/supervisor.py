"""The supervisor: what it runs, written as its configuration, and asked through its socket.

supervisord runs without root, keeps one log a part, restarts what dies, and ends whole process groups.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from nightshift.errors import NeedsOperator, Retry
from nightshift.files import end_of
from nightshift.stack.home import Home
from nightshift.stack.service_names import PART, TOKEN
from nightshift.vocabulary import Reason

__all__ = ["Part", "Supervisor", "configuration", "tail"]

NEEDED_BY_OTHERS = frozenset({"postgres"})  # they stop last
LONGEST_LINE = 300  # of a log that is shown


@dataclass(frozen=True)
class Part:
    """One program under the supervisor.

    Parameters
    ----------
    name : str
    command : sequence of str
    priority : int
        Lower starts first and stops last.
    user : str, optional
        Whom root lends it to.
    stop_signal : str
        What asks it to end.
    stop_group : bool
        Whether its children are asked too; they are always killed with it.
    stop_wait_s : float
        Seconds from asking to killing.
    environment : mapping of str to str
        Beside what all parts have.
    alone : bool
        Whether what an earlier life of it left is ended before it starts.
    """

    name: str
    command: tuple[str, ...]
    priority: int
    user: str | None = None
    stop_signal: str = "TERM"
    stop_group: bool = True
    stop_wait_s: float = 15.0
    environment: Mapping[str, str] = field(default_factory=dict)
    alone: bool = True

    @property
    def whole_command(self) -> tuple[str, ...]:
        """The command, by way of what ends earlier lives of the part."""
        return (
            (sys.executable, "-m", "nightshift.stack.child_process", self.name, *self.command)
            if self.alone
            else self.command
        )


def _escaped(text: str) -> str:
    """Return text that supervisord does not expand."""
    return text.replace("%", "%%")


def _section(part: Part, home: Home) -> str:
    known = {**part.environment, PART: part.name}
    environment = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(known.items()))
    lines = [
        f"[program:{part.name}]",
        f"command={_escaped(shlex.join(part.whole_command))}",
        f"priority={part.priority}",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=5",
        f"stopsignal={part.stop_signal}",
        f"stopasgroup={str(part.stop_group).lower()}",
        "killasgroup=true",
        f"stopwaitsecs={part.stop_wait_s:.0f}",
        f"directory={_escaped(str(home.root))}",
        "redirect_stderr=true",
        f"stdout_logfile={_escaped(str(home.logs / part.name))}.log",
        "stdout_logfile_maxbytes=20MB",
        "stdout_logfile_backups=2",
    ]
    if part.user:
        lines.append(f"user={part.user}")
    lines.append(f"environment={environment}")
    return "\n".join(lines)


def configuration(home: Home, parts: Iterable[Part]) -> str:
    """Return supervisord's configuration for the parts.

    Nothing secret is in it: the parts inherit the supervisor's environment.
    """
    socket = _escaped(str(home.supervisor_socket))
    head = f"""\
[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}

[supervisord]
nodaemon=true
silent=true
logfile={_escaped(str(home.logs / "supervisord.log"))}
logfile_maxbytes=10MB
logfile_backups=1
loglevel=info
pidfile={_escaped(str(home.run / "supervisord.pid"))}
directory={_escaped(str(home.root))}
minfds=1024
strip_ansi=true
"""
    if os.geteuid() == 0:
        head += "user=root\n"
    return "\n\n".join([head, *(_section(part, home) for part in parts)]) + "\n"


class Supervisor:
    """The supervisor of one home, running or not.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home):
        self.home = home
        self._process: subprocess.Popen[bytes] | None = None

    def _ask(self) -> Any:
        """Return the supervisor's own interface; what comes over XML-RPC has no types."""
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.home.supervisor_socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def pid(self) -> int | None:
        """Return the process id of the running supervisor, or None."""
        try:
            return int(self._ask().getPID())
        except (OSError, xmlrpc.client.Error, ValueError, TypeError):
            return None

    def start(self, parts: Iterable[Part], environment: Mapping[str, str]) -> int:
        """Write the configuration and start the supervisor, in a session of its own; the parts wait to be started.

        Parameters
        ----------
        parts : iterable of Part
        environment : mapping of str to str
            The whole environment of every part.

        Returns
        -------
        int
            Its process id.
        """
        path = self.home.supervisor_configuration
        path.touch(mode=0o600)
        path.write_text(configuration(self.home, parts))
        with (self.home.logs / "supervisord.out").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "nightshift.stack.supervisord", "-c", str(path)],
                env={**environment, TOKEN: str(self.home.root)},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while self.pid() != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NeedsOperator(
                    Reason.INTERNAL_ERROR,
                    f"the supervisor did not start:\n{tail(self.home.logs / 'supervisord.out', 15)}",
                )
            time.sleep(0.05)
        self.home.remember(supervisor_pid=process.pid)
        self._process = process
        return process.pid

    def check(self) -> None:
        """Do nothing while the supervisor that this process started lives.

        Raises
        ------
        NeedsOperator
            If it is gone: nobody brings back what dies.
        """
        if self._process is not None and self._process.poll() is not None:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR,
                f"the supervisor of all parts is gone (exit code {self._process.returncode}); its last words are in "
                f"{self.home.logs / 'supervisord.log'}. Ask for the same night again: it goes on where it was.",
            )

    def start_part(self, name: str) -> None:
        """Start one part, without waiting for it. A part that runs already is left alone."""
        with suppress(xmlrpc.client.Fault):
            self._ask().startProcess(name, False)

    def states(self) -> dict[str, tuple[str, int, str]]:
        """Return state (RUNNING, FATAL, ...), process id and description by part.

        Raises
        ------
        Retry
            If the supervisor does not answer.
        """
        try:
            answers = self._ask().getAllProcessInfo()
        except (OSError, xmlrpc.client.Error) as error:
            raise Retry(Reason.INTERNAL_ERROR, f"the supervisor does not answer: {error}") from error
        return {a["name"]: (a["statename"], a["pid"], a["description"]) for a in answers}

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and everything below it."""
        pid = self.pid()
        if pid is None:
            return []
        try:
            top = psutil.Process(pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def left(self) -> list[psutil.Process]:
        """Return processes of this stack that live outside of a supervisor: each carries the stack's token."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.uids().real != os.getuid() and os.getuid() != 0:
                    continue
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(TOKEN) == str(self.home.root):
                    found.append(process)
        return [p for p in found if p.pid != os.getpid()]

    def stop(self, *, wait_s: float = 60.0) -> None:
        """End every part, then the supervisor. Whatever is left of this stack afterwards is ended by its id."""
        pid = self.pid()
        everything = self.processes()
        if pid is not None:
            self._stop_together(wait_s / 2)
            with suppress(OSError, xmlrpc.client.Error):
                self._ask().shutdown()
            self._wait_gone(pid, wait_s)
        _end([p for p in {*everything, *self.left()} if p.is_running()])
        self.home.supervisor_socket.unlink(missing_ok=True)
        if self.home.supervisor_socket.parent != self.home.run:
            with suppress(OSError):
                self.home.supervisor_socket.parent.rmdir()

    def _stop_together(self, wait_s: float) -> None:
        """End all parts at the same time but those that the others need; by itself the supervisor ends one by one."""
        deadline = time.monotonic() + wait_s
        with suppress(Retry, OSError, xmlrpc.client.Error):
            names = [name for name, (_, pid, _) in self.states().items() if pid and name not in NEEDED_BY_OTHERS]
            for name in names:
                with suppress(xmlrpc.client.Fault):
                    self._ask().stopProcess(name, False)
            while time.monotonic() < deadline and any(self.states()[name][1] for name in names):
                time.sleep(0.2)

    def _wait_gone(self, pid: int, wait_s: float) -> None:
        process = self._process
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired, subprocess.TimeoutExpired):
            if process is not None and process.pid == pid:
                process.wait(wait_s)
            else:
                psutil.Process(pid).wait(wait_s)

    def tail(self, name: str, lines: int = 12) -> str:
        """Return the end of a part's log."""
        return tail(self.home.logs / f"{name}.log", lines)


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a file, or say that there is none."""
    try:
        text = end_of(path, 64_000)
    except FileNotFoundError:
        return f"(no {path})"
    return "\n".join(line[:LONGEST_LINE] for line in text.splitlines()[-lines:])


def _end(processes: list[psutil.Process]) -> None:
    """Ask processes to end, then kill those that do not."""
    for sign, wait_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(sign)
        _, processes = psutil.wait_procs(processes, timeout=wait_s)
        if not processes:
            return
