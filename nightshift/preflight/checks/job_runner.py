"""Whether the jobs of the night have somebody who runs them."""

from nightshift.errors import NightshiftError
from nightshift.preflight.check import Afternoon, Finding, check, counted_as, green, red, unknown, worst, yellow
from nightshift.runners.choice import runner_name
from nightshift.runners.slurm.partitions import Partition
from nightshift.runners.spool import Spool
from nightshift.settings import Survey

__all__ = ["check_runner", "judge_partitions"]


@check("runner", "Cluster or pool")
def check_runner(afternoon: Afternoon) -> Finding:
    """Ask the pool whether it lives, or the cluster for its partitions and nodes."""
    if runner_name() == "local":
        return _pool()
    from nightshift.runners.slurm.cli import CliTransport

    try:
        partitions = CliTransport().partitions()
    except NightshiftError as error:
        return unknown(f"The cluster does not answer: {error}", "Ask the cluster: sinfo.")
    return judge_partitions(partitions, afternoon.context.deployment.surveys)


def _pool() -> Finding:
    spool = Spool.from_environment()
    if not spool.pool_is_alive():
        return red(f"No pool serves the spool {spool.root}", "Start it: nightshift up (its log: logs/pool.log).")
    waiting = len(spool.folder_names())
    return green(f"The pool runs, with {counted_as(waiting, 'array')} in its spool", number=waiting, unit="arrays")


def judge_partitions(partitions: list[Partition], surveys: tuple[Survey, ...]) -> Finding:
    """Say whether the partitions that the profiles name are there, up, and have nodes that take work."""
    known = {partition.name: partition for partition in partitions}
    wanted = {
        name
        for survey in surveys
        for profile in survey.profiles.values()
        for name in (profile.partition, profile.backlog_partition)
        if name is not None
    } or {partition.name for partition in partitions if partition.is_default}
    if not wanted:
        return red("The cluster has no default partition, and no profile names one", "Name one in jobs.toml.")
    return worst(_judged(name, known.get(name)) for name in sorted(wanted))


def _judged(name: str, partition: Partition | None) -> Finding:
    if partition is None:
        return red(f"The cluster has no partition {name}", "Correct it in jobs.toml, or have it made.")
    sentence = f"{name}: {partition.nodes_up} of {partition.nodes} nodes take work"
    if not partition.is_up or not partition.nodes_up:
        return red(sentence, "See why: sinfo -R.", number=partition.nodes_up, unit="nodes")
    if partition.nodes_up < partition.nodes:
        return yellow(sentence, "See which are away: sinfo -R.", number=partition.nodes_up, unit="nodes")
    return green(sentence, number=partition.nodes_up, unit="nodes")
