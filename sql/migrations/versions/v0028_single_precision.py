"""Numbers of single precision; the text is in ``0028_single_precision.sql``."""

from pathlib import Path

from alembic import op

revision = "0028"
down_revision = "0022"


def upgrade() -> None:
    """Let records hold them."""
    text = (Path(__file__).parents[1] / "0028_single_precision.sql").read_text()
    # the driver's own cursor: a per cent sign in the text is not a parameter
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def downgrade() -> None:
    """A ledger is not taken back: restore a backup instead."""
    raise NotImplementedError("a ledger is not taken back: restore a backup")
