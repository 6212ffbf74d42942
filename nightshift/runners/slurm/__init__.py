"""The runner of a SLURM cluster.

Safe under what a cluster does: a submit whose answer is lost, a controller or an accounting database that is away
or answers wrongly, restarted job ids, nodes that die while their work goes on. Data flow one way: a *transport*
asks SLURM, `verdict` judges its answers, `runner` puts both behind the interface of all runners.
"""

from nightshift.runners.slurm.runner import SlurmRunner

__all__ = ["SlurmRunner"]
