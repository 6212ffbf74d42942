"""References of frames that are reduced again; the text is in ``0019_references_of_reduced_again.sql``."""

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add it."""
    text = (Path(__file__).parents[1] / "0019_references_of_reduced_again.sql").read_text()
    # the driver's own cursor: a per cent sign in the text is not a parameter
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def downgrade() -> None:
    """A ledger is not taken back: restore a backup instead."""
    raise NotImplementedError("a ledger is not taken back: restore a backup")
