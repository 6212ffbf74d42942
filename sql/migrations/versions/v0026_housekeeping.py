"""Housekeeping: disks and what left the depot; the text is in ``0026_housekeeping.sql``."""

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add its tables."""
    text = (Path(__file__).parents[1] / "0026_housekeeping.sql").read_text()
    # the driver's own cursor: a per cent sign in the text is not a parameter
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def downgrade() -> None:
    """A ledger is not taken back: restore a backup instead."""
    raise NotImplementedError("a ledger is not taken back: restore a backup")
