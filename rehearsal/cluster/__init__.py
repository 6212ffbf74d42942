"""A real SLURM cluster in a folder: for the tests, and for a night on one machine.

Its daemons are the distribution's own. They need no root, no systemd and no munge, and listen on loopback only.
Without munge every user of the machine is believed to be whoever they say: it is no cluster for a shared machine.
"""

from rehearsal.cluster.cluster import Cluster, missing_programs
from rehearsal.cluster.cluster_plan import ClusterPlan

__all__ = ["Cluster", "ClusterPlan", "missing_programs"]
