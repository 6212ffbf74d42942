"""The commands ``up``, ``down``, ``status`` and ``environment``."""

import argparse

from nightshift.settings import SettingsError

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the stack's commands to the parser."""
    up = subparsers.add_parser(
        "up",
        help="start every part and leave it running",
        description="Starts every part on this machine and leaves it running; files may then land in the inbox. "
        "The password of Airflow's page is made once, shown once, and kept readable by you alone.",
    )
    _survey(up)
    up.set_defaults(run=_up)

    down = subparsers.add_parser("down", help="stop what `up` started", description="Ends every part of a survey.")
    _survey(down)
    down.set_defaults(run=_down)

    status = subparsers.add_parser(
        "status",
        help="say which parts run and how the nights stand",
        description="Exit code 0 if everything runs and files are taken in.",
    )
    _survey(status)
    status.set_defaults(run=_status)

    environment = subparsers.add_parser(
        "environment",
        help="print the settings of what runs, for a shell",
        description="Prints `export` lines, so that other commands find the stack that runs: "
        'eval "$(nightshift environment)".',
    )
    _survey(environment)
    environment.set_defaults(run=_environment)

    airflow = subparsers.add_parser("airflow", help="keep Airflow's own metadata from growing without end")
    actions = airflow.add_subparsers(title="actions", metavar="<action>", required=True)
    prune = actions.add_parser(
        "prune",
        help="remove old runs from Airflow's metadata",
        description="Removes runs that ended long ago, with their tasks and logs' entries, by `airflow db clean`. An "
        "open run keeps everything that is as old as it. The ledger keeps its own record of every run.",
    )
    prune.add_argument(
        "--older-than",
        type=int,
        metavar="DAYS",
        help="default: storage.keep_airflow_days of the survey's policy.toml",
    )
    prune.add_argument("--dry-run", action="store_true", help="count what would be removed, and change nothing")
    prune.set_defaults(run=_prune_airflow)


def _survey(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--survey", default="demo", help="name of its folder below config (default: %(default)s)")


def _up(options: argparse.Namespace) -> int:
    from nightshift.stack.service import up

    return up(options.survey)


def _down(options: argparse.Namespace) -> int:
    from nightshift.stack.service import down

    return down(options.survey)


def _environment(options: argparse.Namespace) -> int:
    from nightshift.stack.service import environment

    return environment(options.survey)


def _prune_airflow(options: argparse.Namespace) -> int:
    from nightshift.context import deployment_from_environment
    from nightshift.stack.airflow_metadata import metadata_address, prune_metadata

    days = options.older_than
    if days is None:
        days = max(survey.storage.keep_airflow_days for survey in deployment_from_environment().surveys)
    elif days < 1:
        raise SettingsError(f"--older-than {days}: at least 1 day is kept")
    pruned = prune_metadata(metadata_address(), older_than_days=days, dry_run=options.dry_run)
    print(f"{'would remove' if options.dry_run else 'removed'} {pruned}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from nightshift.stack.service import status

    return status(options.survey)
