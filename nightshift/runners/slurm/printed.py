"""Read what squeue, sacct and sinfo print in their compact formats."""

import math
import re
from collections.abc import Iterator

from nightshift.errors import Retry
from nightshift.runners.slurm.job_states import parse_state
from nightshift.runners.slurm.transport import Accounted, Queued
from nightshift.vocabulary import Reason

__all__ = [
    "ACCOUNTED_FIELDS", "EXITS_FORMAT", "QUEUE_FORMAT", "read_accounted", "read_exits", "read_longest_array",
]  # fmt: skip

QUEUE_FORMAT = "%F|%K|%T|%V|%S|%N|%r|%j|%k"
ACCOUNTED_FIELDS = "JobID,JobName,State,ExitCode,Submit,Start,End,NodeList,MaxRSS,Comment"
EXITS_FORMAT = ",".join(  # a separator in place of a width: nothing is cut off
    f"{field}:|"
    for field in (
        "ArrayJobID", "ArrayTaskID", "State", "SubmitTime", "StartTime", "EndTime", "NodeList", "exit_code", "Name",
        "Comment",
    )
)  # fmt: skip
UNITS_MB = {"": 1 / 1024 / 1024, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}
MOST_TASKS = re.compile(r"\bmax_array_tasks=(\d+)")
RANGE = re.compile(r"^(\d+)(?:-(\d+)(?::(\d+))?)?$")


def read_queue(text: str) -> list[Queued]:
    """Return the tasks of arrays that squeue printed. Jobs whose name and comment differ are not ours."""
    tasks = []
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 9:
            continue  # a name or comment with our separator in it: somebody else's job
        job_id, indices, state, submitted, started, node, why, name, comment = parts
        if name != comment or not job_id.isdigit():
            continue
        for index in _indices(indices):
            tasks.append(
                Queued(
                    name, int(job_id), index, parse_state(state), _time(submitted) or 0.0, _time(started), node,
                    "" if why == "None" else why,
                )
            )  # fmt: skip
    return tasks


def read_accounted(text: str) -> list[Accounted]:
    """Return the starts of tasks that sacct printed; a batch step's sampled memory is its task's."""
    starts: list[Accounted] = []
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 10:
            continue
        job, name, state, code, submitted, started, ended, node, memory, comment = parts
        number, _, step = job.partition(".")
        if step:
            _add_memory(starts, number, _megabytes(memory))
            continue
        job_id, _, indices = number.partition("_")
        if not indices or not job_id.isdigit() or name != comment:
            continue
        exit_code, exit_signal = _code(code)
        starts += [
            Accounted(
                name, int(job_id), index, parse_state(state), _time(submitted) or 0.0, _time(started), _time(ended),
                "" if node == "None assigned" else node, exit_code, exit_signal,
            )
            for index in _indices(indices)
        ]  # fmt: skip
    return starts


def read_exits(text: str) -> list[Accounted]:
    """Return the ends of tasks that squeue printed with their exit codes.

    Not those that a signal ended: whether it was for their memory is known to the accounting alone.
    """
    ends = []
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 11:
            continue
        job_id, index, state, submitted, started, ended, node, status, name, comment, _ = parts
        if name != comment or not (job_id.isdigit() and index.isdigit() and status.isdigit()):
            continue
        exit_code, exit_signal = divmod(int(status), 256)  # as wait(2) gives it
        if not exit_signal:
            ends.append(
                Accounted(
                    name, int(job_id), int(index), parse_state(state), _time(submitted) or 0.0, _time(started),
                    _time(ended), node, exit_code,
                )
            )  # fmt: skip
    return ends


def _add_memory(starts: list[Accounted], number: str, memory_mb: float) -> None:
    """Give the last start the memory of a step of it: sacct prints a job's steps after the job."""
    if starts and number == f"{starts[-1].job_id}_{starts[-1].index}" and memory_mb > starts[-1].memory_mb:
        starts[-1] = Accounted(**{**vars(starts[-1]), "memory_mb": memory_mb})


def read_longest_array(text: str) -> int:
    """Return how many tasks one array may have by ``scontrol show config``.

    `MaxArraySize` bounds their numbers, which count from 0, and `max_array_tasks` of the scheduler how many they are.

    Raises
    ------
    nightshift.errors.Retry
        If it does not say.
    """
    settings = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in text.splitlines())}
    size = settings.get("MaxArraySize", "")
    if not size.isdigit():
        raise Retry(Reason.WORKER_LOST, "scontrol does not say MaxArraySize")
    return min(map(int, [size, *MOST_TASKS.findall(settings.get("SchedulerParameters", ""))]))


def _indices(text: str) -> Iterator[int]:
    """Yield the task indices of ``7`` or of ``[1-3,8,10-20:5%4]``; nothing of what is no array."""
    for part in text.strip("[]").partition("%")[0].split(","):
        if match := RANGE.match(part):
            first, last, step = (int(group) if group else None for group in match.groups())
            assert first is not None
            yield from range(first, (first if last is None else last) + 1, step or 1)


def _time(text: str) -> float | None:
    return float(text) if text.isdigit() else None


def _code(text: str) -> tuple[int, int]:
    code, _, sign = text.partition(":")
    return (int(code) if code.isdigit() else 0), (int(sign) if sign.isdigit() else 0)


def _megabytes(text: str) -> float:
    match = re.match(r"^([\d.]+)([KMGT]?)$", text)
    value = float(match[1]) * UNITS_MB[match[2]] if match else 0.0
    return value if math.isfinite(value) else 0.0
