"""Restore the ledger from a backup: checked first, loaded in one transaction, compared with what was dumped.

What it does not do: what came after the backup is for `nightshift.backup.reconciling`.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg2
from psycopg2 import sql

from nightshift.backup.airflow_lost import ask_again
from nightshift.backup.backup_files import Backup, Manifest
from nightshift.backup.dump_loading import EMPTY, load_dump
from nightshift.backup.postgres_programs import programs_for
from nightshift.backup.restore_rehearsal import check_content
from nightshift.errors import BadInput, NeedsOperator, NightshiftError, Retry
from nightshift.ledger import Ledger, migrate
from nightshift.ledger.queries import backup as backup_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.backup import LearnedSince
from nightshift.ledger.revision import known_revisions
from nightshift.settings import Deployment
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["Restore", "check_backup", "plan_restore", "restore"]


@dataclass(frozen=True)
class Restore:
    """What a restore would do.

    Parameters
    ----------
    backup : Backup
        Its files are whole, and it is this survey's.
    holds_nights : bool
        Whether the ledger has nights by now, which would be replaced.
    newest_night : str
        Of the ledger as it stands; empty where it has none, or is of another schema than this code's.
    learned : LearnedSince or None
        What the ledger learned since the backup; None where that cannot be said.
    in_use_by : tuple of str
        Who else has the ledger open.
    """

    backup: Backup
    holds_nights: bool
    newest_night: str
    learned: LearnedSince | None
    in_use_by: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield what it would do, in sentences."""
        manifest = self.backup.manifest
        age_h = (datetime.now(UTC) - manifest.taken_at).total_seconds() / 3600
        yield (
            f"{self.backup.dump}: of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC ({age_h:.1f} hours ago), "
            f"{sum(manifest.rows.values())} rows, schema {manifest.revision}, whole."
        )
        yield f"Its newest night: {manifest.newest_night or 'none'}."
        if not self.holds_nights:
            yield "The ledger has no nights: nothing is replaced."
        else:
            yield f"Replaced would be a ledger whose newest night is {self.newest_night or 'not known'}."
        yield from self._lost()
        for session in self.in_use_by:
            yield f"The ledger is in use by {session}: end that first."

    def _lost(self) -> Iterator[str]:
        if self.learned is None:
            yield "What the ledger learned since cannot be said; reconciling afterwards finds what lies in the depot."
            return
        since = self.learned
        yield (
            f"Since then: {since.nights} nights changed, {since.frames} raw frames came, {since.alerts} alerts were "
            f"sent, and people changed something {since.people} times."
        )
        yield (
            "Reconciling (`nightshift backup reconcile`) takes the frames and manifests in again from the depot and "
            "keeps each alert that was published as it was; brokers get it a second time with the same candid, which "
            "their readers drop. What people said since is lost: accept and reject again."
        )


def check_backup(backup: Backup, deployment: Deployment) -> Manifest:
    """Return the manifest of a backup that may be restored for a survey.

    Raises
    ------
    BadInput
        If its files are not whole, or it is of another survey.
    NeedsOperator
        If it is of a newer schema than this code's.
    """
    if fault := backup.fault():
        raise BadInput(Reason.CHECKSUM_MISMATCH, f"{fault}. Take another (`nightshift backup list`).")
    manifest = backup.manifest
    if manifest.survey != deployment.name:
        raise BadInput(
            Reason.WRONG_CAMERA, f"{backup.dump} is of the survey {manifest.survey}, not of {deployment.name}"
        )
    if manifest.revision not in known_revisions():
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"{backup.dump} has the schema {manifest.revision}, and this code knows those up to "
            f"{known_revisions()[-1]}: restore it with the code that wrote it ({manifest.code_version}) or newer",
        )
    return manifest


def plan_restore(url: str, backup: Backup, deployment: Deployment) -> Restore:
    """Say what a restore would do, and change nothing. Errors as of `check_backup`."""
    manifest = check_backup(backup, deployment)
    with Ledger(url) as ledger:
        sessions = backup_queries.other_sessions(ledger)
        in_use_by = tuple(f"{session.application} ({session.sessions} connections)" for session in sessions)
        if not _is_of_this_code(ledger):
            return Restore(backup, bool(backup_queries.has_tables(ledger)), "", None, in_use_by)
        night = backup_queries.newest_night(ledger)
        return Restore(
            backup, night is not None, f"{night.site}/{night.night} {night.state}" if night else "",
            backup_queries.since(ledger, moment=manifest.taken_at), in_use_by,
        )  # fmt: skip


def _is_of_this_code(ledger: Ledger) -> bool:
    return ledger_queries.has_revision(ledger) is not None and (
        ledger_queries.revision(ledger) == known_revisions()[-1]
    )


def restore(url: str, backup: Backup, deployment: Deployment, *, force: bool = False) -> Restore:
    """Restore the ledger. What it held stays in the same database, in a schema of its own, until somebody drops it.

    Parameters
    ----------
    url : str
        The ledger's address, as the role that owns its database.
    backup : Backup
    deployment : Deployment
    force : bool
        Whether a ledger that holds nights may be replaced. One that somebody has open never is.

    Raises
    ------
    nightshift.errors.NightshiftError
        If it is refused, or the restored ledger is not what was dumped: then the ledger is as it was before.
    """
    began = time.monotonic()
    plan = plan_restore(url, backup, deployment)
    _refuse(plan, force=force)
    manifest = backup.manifest
    folder = deployment.surveys[0].backup.programs
    programs = programs_for(max(manifest.server_version, _server_version(url)), folder)
    _refuse_older_server(url, manifest)
    aside = _aside(url)
    load_dump(programs, backup, url, _make_way(url, aside))
    try:
        with Ledger(url) as ledger:
            check_content(ledger, manifest)
    except NightshiftError:
        _put_back(url, aside)
        raise
    migrate(url, survey=deployment.name, sites=deployment.site_names)
    with Ledger(url) as ledger:
        ask_again(ledger)
        text = f"The ledger was restored from {backup.name}."
        text += f" What it held before is in its schema {aside}." if aside else ""
        backup_queries.put_step(
            ledger, step="restore", backup=backup.name, good=True, detail=text, taken_at=manifest.taken_at,
            seconds=time.monotonic() - began,
        )  # fmt: skip
        ledger.event(EventLevel.ERROR, "ledger_restored", text, subject=backup.name)
    return plan


def _refuse(plan: Restore, *, force: bool) -> None:
    if plan.in_use_by:
        raise Retry(
            Reason.INTERNAL_ERROR,
            f"the ledger is in use by {', '.join(plan.in_use_by)}: end that first (`nightshift down`)",
        )
    if plan.holds_nights and not force:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            "the ledger holds nights, which a restore replaces: look first (--dry-run), then say --force",
        )


def _server_version(url: str) -> int:
    with closing(psycopg2.connect(url)) as connection:
        return int(connection.server_version)


def _refuse_older_server(url: str, manifest: Manifest) -> None:
    here, wanted = _server_version(url) // 10_000, manifest.server_version // 10_000
    if here < wanted:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the backup is of PostgreSQL {wanted}, and the server is {here}: restore it into {wanted} or newer",
        )


def _aside(url: str) -> str:
    """Return the schema that takes what the ledger holds; empty where it holds nothing."""
    with Ledger(url) as ledger:
        return f"replaced_{datetime.now(UTC):%Y%m%d_%H%M%S}" if backup_queries.has_tables(ledger) else ""


def _make_way(url: str, aside: str) -> tuple[str, ...]:
    """Return the statement that leaves no schema ``public``."""
    if not aside:
        return (EMPTY,)
    with closing(psycopg2.connect(url)) as connection:
        rename = sql.SQL("alter schema public rename to {}").format(sql.Identifier(aside))
        return (rename.as_string(connection),)


def _put_back(url: str, aside: str) -> None:
    """Let the ledger be as it was before a restore that went wrong."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("drop schema public cascade")
        if aside:
            cursor.execute(sql.SQL("alter schema {} rename to public").format(sql.Identifier(aside)))
        else:
            cursor.execute("create schema public")
