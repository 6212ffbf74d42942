"""What a cluster consists of, and the text of its configuration files."""

import getpass
import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from nightshift.loopback import LOOPBACK

__all__ = ["ACCOUNT", "BACKLOG", "NIGHT", "ClusterPlan", "cluster_name", "slurm_conf", "slurmdbd_conf"]

ACCOUNT = "nightshift"  # the default account of whoever starts the cluster
NIGHT, BACKLOG = "night", "backlog"  # partitions over the same nodes; the first preempts the second


def address() -> str:
    """Return the address that the daemons listen on: that to which this machine's name resolves.

    SLURM listens on every interface unless it is told to use the machine's own address; Debian and most others let
    the name resolve to loopback. Where it does not, the daemons can be reached on that one address.
    """
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return LOOPBACK


@dataclass(frozen=True)
class ClusterPlan:
    """How large a cluster is.

    Parameters
    ----------
    nodes : tuple of int
        The slots of each node; nodes are named n0, n1, ... A slot is a core by declaration: a machine may offer
        more of them than it has.
    memory_mb : int
        Of each node, by declaration.
    accounting : bool
        Whether a database keeps what ended (slurmdbd and MariaDB); without one a job is forgotten some minutes
        after its end.
    answer_within_s, node_away_s, remember_s : int
        After how long a command gives up waiting for the controller, a node that says nothing is taken for lost,
        and the controller forgets a job that ended.
    more : tuple of str
        Further lines of slurm.conf, such as partitions.
    """

    nodes: tuple[int, ...] = (2, 2)
    memory_mb: int = 8000
    accounting: bool = True
    answer_within_s: int = 10
    node_away_s: int = 10
    remember_s: int = 300
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return tuple(f"n{number}" for number in range(len(self.nodes)))


def cluster_name(folder: Path) -> str:
    """Return the name of the cluster in a folder; its jobs carry it in their environment."""
    return "ns" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:10]


def slurm_conf(plan: ClusterPlan, folder: Path, ports: dict[str, int]) -> str:
    """Return slurm.conf.

    Parameters
    ----------
    plan : ClusterPlan
    folder : Path
        Absolute; holds everything of the cluster.
    ports : dict of str to int
        Of ``slurmctld``, ``slurmdbd`` and every node by name.
    """
    user, host = getpass.getuser(), socket.gethostname().split(".")[0]
    accounting = (
        f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={address()}
AccountingStoragePort={ports["slurmdbd"]}
AccountingStoreFlags=job_comment
AccountingStorageEnforce=associations
"""
        if plan.accounting
        else ""
    )
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr={address()} Port={ports[name]} "
        f"CPUs={slots} RealMemory={plan.memory_mb} State=UNKNOWN"
        for name, slots in zip(plan.names, plan.nodes, strict=True)
    )
    every = ",".join(plan.names)
    more = "".join(f"{line}\n" for line in plan.more)
    # Short intervals: an exposure waits for its array. MinJobAge keeps what ended where one squeue sees it.
    return f"""\
ClusterName={cluster_name(folder)}
SlurmctldHost={host}({address()})
SlurmctldPort={ports["slurmctld"]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmctldLogFile={folder}/logs/slurmctld.log
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmdLogFile={folder}/logs/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout={plan.node_away_s}
MessageTimeout={plan.answer_within_s}
KillWait=5
MinJobAge={plan.remember_s}
MaxArraySize=1001
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=0
EnforcePartLimits=ALL
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
{accounting}{nodes}
PartitionName={NIGHT} Nodes={every} Default=YES PriorityTier=100 PreemptMode=off MaxTime=1-00:00:00 State=UP
PartitionName={BACKLOG} Nodes={every} PriorityTier=1 PreemptMode=REQUEUE GraceTime=0 MaxTime=1-00:00:00 State=UP
{more}"""


def slurmdbd_conf(folder: Path, ports: dict[str, int], password: str) -> str:
    """Return slurmdbd.conf, which holds the database's password and must be readable by its owner alone."""
    return f"""\
AuthType=auth/none
DbdHost=localhost
DbdAddr={address()}
CommunicationParameters=NoInAddrAny
DbdPort={ports["slurmdbd"]}
SlurmUser={getpass.getuser()}
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/logs/slurmdbd.log
CommitDelay=0
StorageType=accounting_storage/mysql
StorageHost={LOOPBACK}
StoragePort={ports["mariadb"]}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""
