"""What SLURM says when it refuses an array for good, and what an operator can do about it."""

from nightshift.runners.slurm.transport import Order

__all__ = ["hold_up", "refusal"]

# part of SLURM's message (strerror texts of releases 22.05 to 25.11) -> what to do
_ADVICE = {
    "violates accounting/qos policy": "A limit of the account or QOS stands in the way, such as MaxSubmitJobs, for "
    "which every task counts as a job; `sacctmgr show assoc user=$USER` and `sacctmgr show qos` show them. What was "
    "not taken is handed in again by itself.",
    "invalid partition": "Set `partition` of this kind of job in config/<survey>/jobs.toml; `sinfo -s` lists them.",
    "invalid account": "Set `account` in config/<survey>/jobs.toml; `sacctmgr show assoc user=$USER` lists yours.",
    "invalid qos": "Set `qos` in config/<survey>/jobs.toml; `sacctmgr show qos` lists them.",
    "job array spec": "The cluster takes no arrays (MaxArraySize of slurm.conf is 0), or only shorter ones since the "
    "first piece of this one was taken: have MaxArraySize raised, or clear the run's `submit`, which cuts it anew.",
    "memory specification": "No node has so much memory: lower `memory_mb` in config/<survey>/jobs.toml.",
    "node configuration is not available": "No node of the partition has so many cores or so much memory: lower "
    "`cores` or `memory_mb` in config/<survey>/jobs.toml, or choose another `partition`.",
    "more processors requested": "Lower `cores` in config/<survey>/jobs.toml, or choose another `partition`.",
    "time limit": "The partition does not allow so long: lower `time_s` in config/<survey>/jobs.toml, or choose "
    "another `partition`.",
    "access/permission denied": "This user may not use that partition or account: ask the cluster's administrators.",
    "user's group not permitted": "This user may not use that partition: ask the cluster's administrators.",
    "invalid user id": "The cluster does not know this user: the same users must exist on every machine.",
    "invalid node name": "A node that was to be left out does not exist any more.",
    "job dependency": "A defect: Nightshift asks for no dependencies.",
    "pathname of": "The script or folder is too long a path.",
    "unable to open file": "The installation is incomplete: task.sh of nightshift.runners.slurm is missing.",
}


def refusal(text: str, order: Order) -> str | None:
    """Return what to do about a message that means *no*, or None where it may mean anything."""
    lower = text.lower()
    for part, advice in _ADVICE.items():
        if part in lower:
            return f"{advice} (asked for: {_asked(order)})"
    return None


def hold_up(text: str) -> str:
    """Return why a submit did not end that SLURM holds up, as far as its text tells."""
    if "temporarily unable to accept job" in text.lower():
        return "the cluster has as many jobs as MaxJobCount of slurm.conf allows, for which every task counts as one"
    return text.strip()[-500:]


def _asked(order: Order) -> str:
    wishes = {
        "partition": order.partition, "account": order.account, "qos": order.qos, "tasks": order.tasks,
        "cores": order.cores, "memory_mb": f"{order.memory_mb:g}", "time_s": f"{order.time_s:g}",
    }  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in wishes.items() if value is not None)
