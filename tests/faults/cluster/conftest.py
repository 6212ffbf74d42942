"""A real Airflow whose jobs end when a test says so; a runner on the tests' SLURM, which is whole after each test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "runners"))

from array_stack import Cluster, running_cluster
from cluster_faults import DisturbedSite
from runner_site import request_maker

from nightshift.runners.base import ArrayRequest


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """An Airflow, a ledger and a pool of one module alone."""
    with running_cluster() as made:
        yield made


@pytest.fixture
def site(slurm_cluster, tmp_path) -> Iterator[DisturbedSite]:
    """A runner on the whole SLURM cluster."""
    made = DisturbedSite(tmp_path, slurm_cluster)
    try:
        yield made
    finally:
        made.restore()


@pytest.fixture
def array(tmp_path) -> Callable[..., ArrayRequest]:
    """Makes requests of stub tasks."""
    return request_maker(tmp_path / "jobs")
