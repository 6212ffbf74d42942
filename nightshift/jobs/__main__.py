"""What a node runs: ``python -m nightshift.jobs <kind> <job-file> [--unit I]``."""

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path

from nightshift.errors import NightshiftError
from nightshift.jobs.contract import read_job_file
from nightshift.jobs.run import TRY_AGAIN, run_task
from nightshift.kinds import kinds

PAUSE_S = 5.0  # before a task whose storage failed is begun again


def main(arguments: list[str] | None = None) -> int:
    """Run a task of a job file; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nightshift.jobs", description="Run a task of a job file.")
    parser.add_argument("kind", choices=[kind.name for kind in kinds()])
    parser.add_argument("job_file", type=Path)
    parser.add_argument("--unit", type=int, default=None, help="index of the array's task; all without it")
    parser.add_argument(
        "--patience", type=float, default=0.0, metavar="SECONDS",
        help="begin again for so long where the storage fails; then, or without it, the exit code is 75",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    deadline = None  # the storage has not failed yet, however long the task has worked
    try:
        while (code := _run(parser, options)) == TRY_AGAIN:
            deadline = deadline or time.monotonic() + options.patience
            if time.monotonic() + PAUSE_S > deadline:
                break
            time.sleep(PAUSE_S)
        return code
    except NightshiftError as error:
        sys.stderr.write(f"{error.reason}: {error}\n")
        return 1


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    with suppress(OSError):  # the storage is gone, or fails: `run_task` says so
        job = read_job_file(options.job_file)
        if job.kind != options.kind:
            parser.error(f"{options.job_file} is a job of kind {job.kind}, not {options.kind}")
        if options.unit is not None and not 0 <= options.unit < len(job.tasks):
            parser.error(f"the array has tasks 0 to {len(job.tasks) - 1}, not {options.unit}")
    return run_task(options.job_file, options.unit)


if __name__ == "__main__":
    sys.exit(main())
