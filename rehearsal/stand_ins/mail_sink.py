"""A mail server for one machine: it takes every mail and leaves each as a whole ``.eml`` file.

``python -m rehearsal.stand_ins.mail_sink --port 2525 --folder mail`` runs until it is ended. It delivers nothing.
With ``--password-file`` it takes mails from those alone who know the password: anybody on the machine can reach it.
"""

import argparse
import asyncio
import hashlib
import hmac
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from nightshift.files import write_whole

__all__ = ["Sink", "main", "serve"]

LARGEST_MAIL = 50_000_000  # bytes


class Sink:
    """What is done with each mail (the handler of aiosmtpd's server).

    Parameters
    ----------
    folder : Path
        Where the mails appear, named by time and content so that they sort as they came.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail, and accept it only then."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}_{hashlib.sha256(raw).hexdigest()[:12]}.eml"
        try:
            await asyncio.to_thread(write_whole, self.folder / name, raw)
        except OSError as error:
            return f"451 the mail could not be kept: {error.strerror}"
        return "250 kept"


async def serve(
    folder: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    password: str | None = None,
    ready: asyncio.Event | None = None,
) -> None:
    """Take mails until the task is cancelled.

    Parameters
    ----------
    folder : Path
    port : int
    host : str, optional
    password : str, optional
        Whom mails are taken from must know it, under whatever name; None takes them from everybody.
    ready : asyncio.Event, optional
        Set once it listens.

    Raises
    ------
    OSError
        If the port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    sink = Sink(folder)

    def knows(server: object, session: object, envelope: object, mechanism: str, login: object) -> AuthResult:
        given = login.password if isinstance(login, LoginPassword) else b""
        return AuthResult(success=hmac.compare_digest(given, (password or "").encode()), handled=False)

    server = await loop.create_server(
        lambda: SMTP(
            sink, data_size_limit=LARGEST_MAIL, hostname="localhost", enable_SMTPUTF8=True,
            auth_required=password is not None, auth_require_tls=False, authenticator=knows,
        ),
        host, port,
    )  # fmt: skip
    if ready is not None:
        ready.set()
    async with server:
        await server.serve_forever()


async def _until_told(folder: Path, port: int, host: str, password: str | None) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(serve(folder, port, host=host, password=password))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        print("mail sink: told to end", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the sink as a process and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.stand_ins.mail_sink", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="TCP port to listen on")
    parser.add_argument("--folder", type=Path, required=True, help="where each mail is left as a file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--password-file", type=Path, help="of the password that senders must know; or everybody may")
    options = parser.parse_args(arguments)
    password = options.password_file.read_text().strip() if options.password_file else None
    print(f"mail sink: {options.host}:{options.port}, mails in {options.folder}, process {os.getpid()}", flush=True)
    try:
        asyncio.run(_until_told(options.folder, options.port, options.host, password))
    except OSError as error:
        print(f"mail sink: cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
