"""The ledger: a PostgreSQL database that is the truth of the night."""

from nightshift.ledger.database import Ledger, ledger_url, open_ledger
from nightshift.ledger.migrate import migrate
from nightshift.ledger.stamp import check_ledger

__all__ = ["Ledger", "check_ledger", "ledger_url", "migrate", "open_ledger"]
