"""Months that left the ledger; the text is in ``0020_months_of_a_night.sql``."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Mend them."""
    text = (Path(__file__).parents[1] / "0020_months_of_a_night.sql").read_text()
    # the driver's own cursor: a per cent sign in the text is not a parameter
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def downgrade() -> None:
    """A ledger is not taken back: restore a backup instead."""
    raise NotImplementedError("a ledger is not taken back: restore a backup")
