"""The process that holds pyslurm: it answers questions, one JSON line each, from its input to its output.

pyslurm keeps Python's lock while it waits for the controller, for seconds where that is away; here nobody else
waits with it. Only what the releases 22.05 and 25.11 of pyslurm share is used.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

__all__ = ["main", "serve"]

BYTES_A_MB = 1024 * 1024


def serve(pyslurm: Any, questions: TextIO, answers: TextIO) -> None:
    """Answer until the questions end.

    Parameters
    ----------
    pyslurm : module
    questions, answers : text streams
    """
    calls: dict[str, Callable[..., Any]] = {
        "release": lambda: str(pyslurm.version()), "submit": lambda **order: _submit(pyslurm, order),
        "queue": lambda: list(_queue(pyslurm)), "accounted": lambda **what: list(_accounted(pyslurm, **what)),
        "cancel": lambda job_ids: _cancel(pyslurm, job_ids),
    }  # fmt: skip
    for line in questions:
        question = json.loads(line)
        try:
            answer = {"value": calls[question["call"]](**question["with"])}
        except pyslurm.RPCError as error:
            answer = {"refused": str(error.msg), "errno": error.errno}
        except Exception as error:  # noqa: BLE001 - the boundary of a process: whatever it is, the asker is told
            answer = {"failed": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _submit(pyslurm: Any, order: dict[str, Any]) -> int:
    description = pyslurm.JobSubmitDescription(
        name=order["key"], comment=order["key"], script=order["script"], script_args=order["arguments"],
        array=f"0-{order['tasks'] - 1}", ntasks=1, cpus_per_task=order["cores"], nice=order["nice"],
        memory_per_node=f"{order['memory_mb']}M", time_limit=order["minutes"],
        working_directory=order["folder"], standard_output=order["output"], environment=order["environment"],
        is_requeueable=order["requeue"], log_files_open_mode="append", kill_on_invalid_dependency=True,
        **{name: order[name] for name in ("partitions", "qos", "account", "excluded_nodes") if order.get(name)},
    )  # fmt: skip
    return int(description.submit())


def _queue(pyslurm: Any) -> Iterator[dict[str, Any]]:
    for job in pyslurm.Jobs.load().values():
        if job.user_id != os.getuid() or job.name != job.comment:
            continue
        for index in _indices(job):
            yield {
                "key": job.name, "job_id": job.array_id, "index": index, "state": str(job.state),
                "submitted": job.submit_time or 0, "started": job.start_time, "node": job.batch_host or "",
                "why": (job.state_reason or "").replace("None", ""), "restarts": job.requeue_count or 0,
            }  # fmt: skip


def _accounted(pyslurm: Any, keys: list[str], since: float) -> Iterator[dict[str, Any]]:
    # pyslurm's `comment` of the accounting is another field than sbatch's: the name is the key here.
    for job in pyslurm.db.Jobs.load(pyslurm.db.JobFilter(names=keys, start_time=int(since))).values():
        for index in _indices(job):
            yield {
                "key": job.name, "job_id": job.array_id, "index": index, "state": str(job.state),
                "submitted": job.submit_time or 0, "started": job.start_time, "ended": job.end_time,
                "node": job.nodelist or "", "exit_code": _exit_code(job.exit_code or 0),
                "exit_signal": job.exit_code_signal or 0,
                "memory_mb": (job.stats.max_resident_memory or 0) / BYTES_A_MB,
            }  # fmt: skip


def _indices(job: Any) -> list[int]:
    """Return the tasks that a record stands for; nothing where it is no array's.

    pyslurm gives None for task 0, as it does for a record that stands for all tasks that wait.
    """
    if not job.array_id:
        return []
    if waiting := job.array_tasks_waiting:
        return list(_expanded(waiting))
    return [job.array_task_id or 0]


def _expanded(text: str) -> Iterator[int]:
    """Yield the indices of a list such as ``1-5,7``."""
    for part in text.strip("[]").split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _exit_code(code: int) -> int:
    """Give back the 128 that pyslurm takes from the code of a task that `timeout` had to kill (137)."""
    return code + 128 if code == 9 else code


def _cancel(pyslurm: Any, job_ids: list[int]) -> None:
    for job_id in job_ids:
        try:
            pyslurm.Job(job_id).cancel()
        except pyslurm.RPCError as error:
            if "invalid job id" not in str(error.msg).lower():  # it has ended and is forgotten
                raise


def main() -> int:
    """Answer on the standard streams; the exit code is 0 when nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints is no answer
    try:
        import pyslurm
    except ImportError as error:
        answers.write(json.dumps({"missing": str(error)}) + "\n")
        answers.flush()
        return 1
    serve(pyslurm, sys.stdin, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
