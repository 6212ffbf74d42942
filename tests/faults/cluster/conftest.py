"""A runner on the tests' SLURM, which is whole again after each test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "runners"))

from cluster_faults import DisturbedSite
from runner_site import request_maker

from nightshift.runners.base import ArrayRequest


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
