"""What the runners' contract tests run in place of reduction work: each task does what its job file says."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def run(job_file: Path, index: int) -> int:
    """Do what the job file's entry for this task says, and return the exit code that it asks for."""
    wish = json.loads(job_file.read_text())[index]
    folder = job_file.parent
    with (folder / f"{index}.began").open("a") as stream:
        stream.write(f"{time.time()} {os.getpid()} {os.environ.get('CONTRACT', '')}\n")
    print(f"task {index} says hello", flush=True)
    while wish.get("until") and not (folder / wish["until"]).exists():
        time.sleep(0.02)
    if wish.get("allocate_mb"):
        kept = bytearray(os.urandom(1024)) * (1024 * wish["allocate_mb"])
        time.sleep(30)
        del kept
    if wish.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if wish.get("raise"):
        raise RuntimeError(wish["raise"])
    if wish.get("storage_until") and not (folder / wish["storage_until"]).exists():
        return os.EX_TEMPFAIL
    (folder / f"{index}.ended").touch()
    return wish.get("code", 0)


if __name__ == "__main__":  # as a node runs it: kind, job file, --unit, index
    sys.exit(run(Path(sys.argv[2]), int(sys.argv[4])))
