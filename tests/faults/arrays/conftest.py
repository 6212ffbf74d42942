"""A real Airflow whose jobs end when a test says so."""

import os
from collections.abc import Iterator

import pytest
from array_stack import Cluster, running_cluster

from nightshift.cluster import missing_programs


@pytest.fixture(scope="module", params=["local", pytest.param("slurm", marks=pytest.mark.faults)])
def cluster(request) -> Iterator[Cluster]:
    """An Airflow and a ledger of one module alone, with the local pool or a SLURM cluster."""
    if request.param == "slurm" and (missing := missing_programs()) and not os.environ.get("CI"):
        pytest.skip(f"no SLURM cluster: {', '.join(missing)} not installed")
    with running_cluster(request.param) as made:
        yield made
