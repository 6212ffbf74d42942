"""Which runner serves here."""

import os

from nightshift.runners.base import Runner

__all__ = ["runner_from_environment", "runner_name"]

VARIABLE = "NIGHTSHIFT_RUNNER"


def runner_name() -> str:
    """Return the name of the runner that ``NIGHTSHIFT_RUNNER`` names (``local`` by default)."""
    return os.environ.get(VARIABLE) or "local"


def runner_from_environment() -> Runner:
    """Return the runner that ``NIGHTSHIFT_RUNNER`` names (``local`` by default)."""
    name = runner_name()
    if name == "local":
        from nightshift.runners.local import LocalRunner

        return LocalRunner.from_environment()
    if name == "slurm":
        from nightshift.runners.slurm import SlurmRunner

        return SlurmRunner.from_environment()
    raise ValueError(f"{VARIABLE}={name!r}: the runners are local and slurm")
