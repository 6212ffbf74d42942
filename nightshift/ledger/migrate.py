"""Bring a ledger to the newest schema: alembic runs ``sql/migrations`` in order."""

from nightshift.kinds import kinds
from nightshift.ledger.database import SQL, Ledger, ledger_url
from nightshift.vocabulary import reason_entries

__all__ = ["migrate"]


def migrate(url: str | None = None) -> None:
    """Apply the migrations that the ledger lacks, and refresh its reasons and kinds of work. May run again.

    Parameters
    ----------
    url : str, optional
        The ledger's libpq address; by default what the environment names.
    """
    from alembic import command  # only here: every task and every job imports this package
    from alembic.config import Config

    address = url or ledger_url()
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.attributes["url"] = address.replace("postgresql://", "postgresql+psycopg2://", 1)
    command.upgrade(config, "head")
    with Ledger(address) as ledger, ledger.transaction():
        for entry in reason_entries():
            ledger.run(
                "ledger", "put_reason",
                reason=entry.code, error_class=entry.error_class, sentence=entry.sentence,
            )  # fmt: skip
        for kind in kinds():
            ledger.run("ledger", "put_kind", kind=kind.name, says=kind.says)
