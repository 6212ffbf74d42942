"""Bring a ledger to the newest schema: alembic runs ``sql/migrations`` in order."""

from psycopg2 import sql

from nightshift.kinds import kinds
from nightshift.ledger.database import SQL, Ledger, ledger_url
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.stamp import check_before_migrating, stamp
from nightshift.vocabulary import all_measurements, reason_entries

__all__ = ["migrate"]


def migrate(url: str | None = None, *, survey: str = "", sites: tuple[str, ...] = ()) -> None:
    """Apply the migrations that the ledger lacks, and refresh its reasons, kinds and measurements. May run again.

    Parameters
    ----------
    url : str, optional
        The ledger's libpq address; by default what the environment names.
    survey, sites : str, tuple of str
        Whose ledger it is, and the names of that survey's sites. Without them whoever opens it first says so.

    Raises
    ------
    nightshift.errors.NeedsOperator
        If it is another survey's, or newer than this code: nothing is changed.
    """
    from alembic import command  # only here: every task and every job imports this package
    from alembic.config import Config

    address = url or ledger_url()
    with Ledger(address) as ledger:
        check_before_migrating(ledger, survey, sites)
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.attributes["url"] = address.replace("postgresql://", "postgresql+psycopg2://", 1)
    command.upgrade(config, "head")
    with Ledger(address) as ledger, ledger.transaction():
        for entry in reason_entries():
            ledger_queries.put_reason(
                ledger, reason=entry.code, error_class=entry.error_class, sentence=entry.sentence
            )
        for kind in kinds():
            ledger_queries.put_kind(ledger, kind=kind.name, says=kind.says, lasting=kind.lasting)
        for measurement in all_measurements():
            ledger_queries.put_measurement(
                ledger, measurement=measurement.name, unit=measurement.unit, says=measurement.says
            )
        _show_measurements(ledger)
        if survey:
            stamp(ledger, survey, sites)


def _show_measurements(ledger: Ledger) -> None:
    """Give the view `image_quality` a column for each measurement, so that people and queries read them by name.

    This is the one statement of the ledger that is composed rather than named: the columns of a view cannot be
    parameters, and a migration for each measurement is what this saves. Names are quoted by the driver. Columns are
    in the order of their positions, so that a new one stands last: PostgreSQL replaces a view only by one that
    begins with the same columns.
    """
    columns = [
        sql.SQL("i.values[{}] as {}").format(sql.Literal(measurement.position), sql.Identifier(measurement.name))
        for measurement in ledger_queries.measurements(ledger)
    ]
    statement = sql.SQL(
        "create or replace view image_quality as "
        "select i.unit_key, i.night, i.instrument, i.exposure_id, i.detector, i.quadrant, i.good, i.warnings, "
        "i.corners_deg, i.measured_at, {} from image_measurements i"
    ).format(sql.SQL(", ").join(columns))
    with ledger.connection.cursor() as cursor:
        cursor.execute(statement)
