"""Which runner serves here."""

import os

from nightshift.runners.base import Runner

__all__ = ["runner_from_environment"]

VARIABLE = "NIGHTSHIFT_RUNNER"


def runner_from_environment() -> Runner:
    """Return the runner that ``NIGHTSHIFT_RUNNER`` names (``local`` by default)."""
    name = os.environ.get(VARIABLE, "local")
    if name == "local":
        from nightshift.runners.local import LocalRunner

        return LocalRunner.from_environment()
    if name == "slurm":
        from nightshift.runners.slurm import SlurmRunner

        return SlurmRunner.from_environment()
    raise ValueError(f"{VARIABLE}={name!r}: the runners are local and slurm")
