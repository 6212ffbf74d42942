"""The folder of one survey's night on this machine, and the rule by which it may be cleared."""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from nightshift.files import write_json
from nightshift.settings import SettingsError

__all__ = ["Home", "Kind", "var_folder"]

MARKER = ".nightshift-home"
SOCKET_PATH_MOST = 100  # the kernel allows 107 bytes


def var_folder() -> Path:
    """Return the folder of all nights on this machine (``NIGHTSHIFT_VAR``, or ``var`` where one stands)."""
    return Path(os.environ.get("NIGHTSHIFT_VAR", "var")).resolve()


class Kind(StrEnum):
    """What a home is for."""

    REPLAY = "replay"  # a night that can be played again: the next one clears it
    LIVE = "live"  # made by `up`: never cleared unasked


@dataclass(frozen=True)
class Home:
    """Where everything of one survey on this machine is.

    Parameters
    ----------
    root : Path
        ``var/<survey>``, absolute.
    """

    root: Path

    @classmethod
    def of(cls, survey: str) -> "Home":
        """Return the home of a survey."""
        return cls(var_folder() / survey)

    @property
    def inbox(self) -> Path:
        """Where the mountain's files land."""
        return self.root / "inbox"

    @property
    def night(self) -> Path:
        """The simulated or prepared night, before it is played."""
        return self.root / "night"

    @property
    def depot(self) -> Path:
        """Everything that was received and made."""
        return self.root / "depot"

    @property
    def mail(self) -> Path:
        """Where the mail sink leaves its files."""
        return self.root / "mail"

    @property
    def messages(self) -> Path:
        """Where the part that tells people remembers what must not depend on the ledger."""
        return self.root / "messages"

    @property
    def received(self) -> Path:
        """What the night's own consumer took from the broker."""
        return self.root / "received"

    @property
    def spool(self) -> Path:
        """The local runner's folder."""
        return self.root / "spool"

    @property
    def cluster(self) -> Path:
        """The embedded SLURM cluster, where the runner is ``slurm``."""
        return self.root / "cluster"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL."""
        return self.root / "postgres"

    @property
    def airflow(self) -> Path:
        """Airflow's own folder."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """One log a part."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What belongs to the running stack: configuration, addresses, secrets. Private to its owner."""
        return self.root / "run"

    @property
    def supervisor_configuration(self) -> Path:
        """The supervisor's configuration."""
        return self.run / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's socket; in a short folder where the path would be longer than the kernel allows."""
        usual = self.run / "supervisor.sock"
        if len(os.fsencode(usual)) <= SOCKET_PATH_MOST:
            return usual
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"nightshift-{os.getuid()}-{digest}" / "supervisor.sock"

    @property
    def kafka(self) -> Path:
        """The Kafka of one node, where the broker is ``kafka``."""
        return self.root / "kafka"

    @property
    def broker_address(self) -> Path:
        """The file into which the broker that runs here writes its addresses."""
        return self.run / "broker.address"

    @property
    def kind(self) -> Kind | None:
        """What it was made for; None where Nightshift did not make it."""
        try:
            return Kind(json.loads((self.root / MARKER).read_text())["kind"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def make(self, kind: Kind) -> None:
        """Make the folders where they are missing. A home stays of the kind that it was made for."""
        self.root.mkdir(parents=True, exist_ok=True)
        if self.kind is None:
            write_json(self.root / MARKER, {"kind": kind, "at": datetime.now(UTC).isoformat()})
        for folder in (
            self.inbox,
            self.night,
            self.depot,
            self.mail,
            self.received,
            self.messages,
            self.spool,
            self.airflow,
            self.logs,
            self.run,
        ):
            folder.mkdir(mode=0o700, exist_ok=True)  # one that is there stays as open as its owner made it
        self.run.chmod(0o700)
        self._check_spool()
        socket_folder = self.supervisor_socket.parent
        if socket_folder != self.run:
            socket_folder.mkdir(mode=0o700, exist_ok=True)
            if socket_folder.stat().st_uid != os.getuid() or socket_folder.stat().st_mode & 0o077:
                raise SettingsError(f"{socket_folder} belongs to somebody else or is open to others: remove it")

    def _check_spool(self) -> None:
        """Refuse a spool into which somebody else could put jobs: the pool runs what it finds there."""
        status = self.spool.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise SettingsError(
                f"{self.spool} belongs to somebody else or others may write there, and what lies there is run: "
                f"make it yours alone (chmod go-w {self.spool})"
            )

    def clear(self, *, live_too: bool = False) -> None:
        """Remove an earlier replay of this home, and nothing else.

        Parameters
        ----------
        live_too : bool
            Also what `up` made, which may hold nights that nobody can play again.

        Raises
        ------
        SettingsError
            If the folder has content and lacks the marker that Nightshift leaves in its own, or is live.
        """
        if not self.root.exists() or not any(self.root.iterdir()):
            return
        elsewhere = "move it away, or name another folder with NIGHTSHIFT_VAR"
        if self.kind is None or self.root.is_symlink():
            raise SettingsError(f"{self.root} was not made by Nightshift (it has no readable {MARKER}): {elsewhere}")
        if self.kind is Kind.LIVE and not live_too:
            raise SettingsError(
                f"{self.root} holds the nights of a live stack: {elsewhere}, or clear it with --clear"
            )
        aside = self.root.with_name(f".{self.root.name}.old-{secrets.token_hex(4)}")
        self.root.rename(aside)
        shutil.rmtree(aside)

    def secret_file(self, name: str) -> Path:
        """Return the file of a secret, which is made where it is missing."""
        self.secret(name)
        return self.run / f"{name}.secret"

    def secret(self, name: str, *, make: bool = True) -> str:
        """Return a secret of this home, made once and readable by its owner alone."""
        path = self.run / f"{name}.secret"
        if make and not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write(secrets.token_urlsafe(18) + "\n")
        return path.read_text().strip()

    def remember(self, **facts: object) -> None:
        """Keep what later commands need to know of the running stack."""
        write_json(self.run / "stack.json", {**self.recall(), **facts})
        (self.run / "stack.json").chmod(0o600)

    def recall(self) -> dict[str, Any]:
        """Return what was remembered; empty where there is nothing."""
        try:
            facts: dict[str, Any] = json.loads((self.run / "stack.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return facts
