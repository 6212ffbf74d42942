"""A ledger for a whole module: a night is dear."""

import secrets
from collections.abc import Iterator

import pytest

from nightshift.ledger import Ledger, migrate, open_ledger
from nightshift.ledger.embedded import EmbeddedPostgres


@pytest.fixture(scope="module")
def module_ledger(postgres_server: EmbeddedPostgres) -> Iterator[Ledger]:
    """An empty ledger of this module alone."""
    name = f"faults_{secrets.token_hex(6)}"
    postgres_server.create_database(name)
    migrate(postgres_server.url(name))
    with open_ledger(postgres_server.url(name)) as ledger:
        yield ledger
