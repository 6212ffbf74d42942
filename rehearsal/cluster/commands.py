"""The commands ``cluster up``, ``cluster down``, ``cluster status`` and ``cluster run``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.cluster import Cluster

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the cluster's commands to the parser."""
    cluster = subparsers.add_parser(
        "cluster",
        help="a real SLURM cluster in a folder of this machine",
        description="Starts a SLURM controller, nodes and an accounting database from this system's packages, "
        "without root, systemd or munge: for tests and for nights on one machine. Whoever can reach its ports is "
        "believed to be whoever they say.",
    )
    actions = cluster.add_subparsers(title="actions", metavar="<action>", required=True)
    for name, text in {
        "up": "start it and leave it running",
        "down": "cancel what runs and stop it",
        "status": "say what runs; exit code 0 if every node takes jobs",
        "run": "run it in the foreground until SIGTERM",
    }.items():
        action = actions.add_parser(name, help=text, description=f"{text.capitalize()}.")
        action.add_argument(
            "--folder", type=Path, default=Path("var/cluster"), help="everything of it (default: %(default)s)"
        )
        if name in ("up", "run"):
            action.add_argument("--nodes", type=int, default=2, help="of a new one (default: %(default)s)")
            action.add_argument("--slots", type=int, default=2, help="of each node (default: %(default)s)")
            action.add_argument("--memory-mb", type=int, default=8000, help="of each node (default: %(default)s)")
        action.set_defaults(run={"up": _up, "down": _down, "status": _status, "run": _run}[name])


def _cluster(options: argparse.Namespace) -> "Cluster":
    from rehearsal.cluster import Cluster, ClusterPlan

    return Cluster(options.folder, ClusterPlan((options.slots,) * options.nodes, options.memory_mb))


def _up(options: argparse.Namespace) -> int:
    cluster = _cluster(options)
    cluster.up()
    print(f"{len(cluster.plan.nodes)} nodes, {sum(cluster.plan.nodes)} slots. For SLURM's commands and Nightshift:")
    print(f"export SLURM_CONF={cluster.conf}")
    return 0


def _down(options: argparse.Namespace) -> int:
    from rehearsal.cluster import Cluster

    Cluster(options.folder).down()
    return 0


def _status(options: argparse.Namespace) -> int:
    from rehearsal.cluster import Cluster

    cluster = Cluster(options.folder)
    states = cluster.node_states()
    for name, daemon in cluster.daemons.items():
        process = daemon.process()
        print(f"{name:10} {f'pid {process.pid}' if process else 'away':12} {states.get(name, '')}")
    return 0 if cluster.takes_jobs() else 1


def _run(options: argparse.Namespace) -> int:
    _cluster(options).serve()
    return 0
