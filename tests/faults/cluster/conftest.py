"""A real Airflow whose jobs end when a test says so."""

from collections.abc import Iterator

import pytest
from array_stack import Cluster, running_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """An Airflow, a ledger and a pool of one module alone."""
    with running_cluster() as made:
        yield made
