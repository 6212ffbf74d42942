"""Second copies; the text is in ``0024_copies.sql``."""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0028"


def upgrade() -> None:
    """Add their tables."""
    text = (Path(__file__).parents[1] / "0024_copies.sql").read_text()
    # the driver's own cursor: a per cent sign in the text is not a parameter
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def downgrade() -> None:
    """A ledger is not taken back: restore a backup instead."""
    raise NotImplementedError("a ledger is not taken back: restore a backup")
