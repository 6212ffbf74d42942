"""What runs in place of reduction work: each task waits until its array may go on, then leaves results.

The pool calls `run`; a node of a cluster runs this file with the job file and the task's index.
"""

import os
import sys
import time
from pathlib import Path

from nightshift.files import write_whole
from nightshift.jobs.contract import JobFile, Product, UnitResult, UnitWork, read_job_file, write_result
from nightshift.vocabulary import AttemptState

CONTROL = "ARRAY_STUB_CONTROL"  # a folder: `hold_<night>` keeps the tasks of that night's arrays


def run(job_file: Path, index: int) -> int:
    """Note that the task has begun, wait while it is held, and leave the results of its units."""
    job, control = read_job_file(Path(job_file)), Path(os.environ[CONTROL])
    units = [job.units[number] for number in job.tasks[index]]
    with (control / "begun").open("a") as stream:
        stream.writelines(f"{unit.token} {os.getpid()}\n" for unit in units)
    print(f"task {index} of {job.job_key} says hello", flush=True)
    while (control / f"hold_{night_of(job)}").exists():
        time.sleep(0.05)
    for unit in units:
        write_result(Path(unit.folder), master(unit))
    return 0


def night_of(job: JobFile) -> str:
    """Return the night of a calibration set's job."""
    return job.job_key.split("/")[2]


def master(unit: UnitWork) -> UnitResult:
    """Return the result of a master that was built of all its frames."""
    kind = unit.parameters["calibration_kind"]
    content = unit.unit_key.encode()
    made = Product(kind, f"{kind}.fits", write_whole(Path(unit.folder) / f"{kind}.fits", content), len(content))
    rows = [{"key": f["key"], "accepted": True, "reason": None, "level": 100.0} for f in unit.parameters["frames"]]
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.SUCCEEDED, products=(made,), rows={"frames": rows},
        metrics={"frames": len(rows), "level": 100.0, "noise": 3.0},
    )  # fmt: skip


if __name__ == "__main__":  # as a node runs it: ... <job-file> --unit <index>
    sys.exit(run(Path(sys.argv[-3]), int(sys.argv[-1])))
