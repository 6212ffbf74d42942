"""Where jobs run. One interface; each kind of cluster differs only behind it."""

from nightshift.runners.base import ArrayRequest, Runner, TaskReport
from nightshift.runners.choice import runner_from_environment

__all__ = ["ArrayRequest", "Runner", "TaskReport", "runner_from_environment"]
