"""The ledger's backups: dumps that were read back, their restore, and a rehearsal of it.

A backup is a file of `pg_dump` and a manifest beside it, which is written last: what has no manifest is no backup.
"""

from nightshift.backup.backup_state import BackupState, backup_state

__all__ = ["BackupState", "backup_state"]
