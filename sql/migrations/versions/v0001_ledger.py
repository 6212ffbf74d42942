"""The ledger's first tables; the text is in ``0001_ledger.sql``."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the ledger."""
    text = (Path(__file__).parents[1] / "0001_ledger.sql").read_text()
    # the driver's own cursor: a per cent sign in the text is not a parameter
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def downgrade() -> None:
    """A ledger is not taken back: restore a backup instead."""
    raise NotImplementedError("a ledger is not taken back: restore a backup")
