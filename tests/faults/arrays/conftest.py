"""A real Airflow whose jobs end when a test says so."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "runners"))

from array_stack import Cluster, running_cluster

from rehearsal.cluster import missing_programs


@pytest.fixture(scope="module", params=["local", pytest.param("slurm", marks=pytest.mark.faults)])
def cluster(request) -> Iterator[Cluster]:
    """An Airflow and a ledger of one module alone, with the local pool or a SLURM cluster."""
    if request.param == "slurm" and (packages := missing_programs()):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            f"no SLURM cluster: not installed are {', '.join(packages)}"
        )
    with running_cluster(request.param) as made:
        yield made
