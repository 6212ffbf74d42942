"""The ledger: a PostgreSQL database that is the truth of the night."""

from nightshift.ledger.database import Ledger, ledger_url, open_ledger
from nightshift.ledger.migrate import migrate

__all__ = ["Ledger", "ledger_url", "migrate", "open_ledger"]
