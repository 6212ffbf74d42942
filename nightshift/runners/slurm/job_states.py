"""SLURM's job states, and what each means to whoever waits for a task."""

from enum import StrEnum

from nightshift.vocabulary import JobState

__all__ = ["SlurmState", "job_state", "parse_state"]


class SlurmState(StrEnum):
    """The states that SLURM's commands print, from release 22.05 on."""

    PENDING = "PENDING"  # queued, or requeued and waiting for its next start
    CONFIGURING = "CONFIGURING"  # has its nodes, which are being made ready
    REQUEUED = "REQUEUED"  # this start of it ended; it waits for another
    REQUEUE_FED = "REQUEUE_FED"  # requeued by a federation of clusters
    REQUEUE_HOLD = "REQUEUE_HOLD"  # requeued, and held until an administrator releases it
    RESV_DEL_HOLD = "RESV_DEL_HOLD"  # held because its reservation was deleted
    SPECIAL_EXIT = "SPECIAL_EXIT"  # requeued and held because of its exit code
    RUNNING = "RUNNING"  # its processes run
    COMPLETING = "COMPLETING"  # its processes have ended or are being ended; the node is not free yet
    RESIZING = "RESIZING"  # changes its size while it runs
    SIGNALING = "SIGNALING"  # is being sent a signal
    STAGE_OUT = "STAGE_OUT"  # moves files off its nodes
    STOPPED = "STOPPED"  # stopped by a signal, keeps its cores
    SUSPENDED = "SUSPENDED"  # stopped, and its cores lent to others
    COMPLETED = "COMPLETED"  # every process ended with exit code zero
    FAILED = "FAILED"  # ended with another exit code or by a signal
    CANCELLED = "CANCELLED"  # ended or withdrawn because a user or an administrator asked for it
    TIMEOUT = "TIMEOUT"  # ended by its time limit
    DEADLINE = "DEADLINE"  # ended by its deadline
    OUT_OF_MEMORY = "OUT_OF_MEMORY"  # ended by its memory limit, where the site enforces it by cgroups
    NODE_FAIL = "NODE_FAIL"  # a node under it went away
    BOOT_FAIL = "BOOT_FAIL"  # its node did not start
    LAUNCH_FAILED = "LAUNCH_FAILED"  # its node could not start it
    PREEMPTED = "PREEMPTED"  # ended in favour of work that goes first
    REVOKED = "REVOKED"  # another cluster of a federation took it
    UNNAMED = ""  # a word that this table does not have: a newer release's

    @property
    def ended(self) -> bool:
        """Whether no process of it runs or will run by itself."""
        return job_state(self).ended


_WAITS = (
    SlurmState.PENDING, SlurmState.CONFIGURING, SlurmState.REQUEUED, SlurmState.REQUEUE_FED,
    SlurmState.REQUEUE_HOLD, SlurmState.RESV_DEL_HOLD, SlurmState.SPECIAL_EXIT,
)  # fmt: skip
_WORKS = (
    SlurmState.RUNNING, SlurmState.COMPLETING, SlurmState.RESIZING, SlurmState.SIGNALING, SlurmState.STAGE_OUT,
    SlurmState.STOPPED, SlurmState.SUSPENDED,
)  # fmt: skip
_MEANING = {
    **dict.fromkeys(_WAITS, JobState.PENDING),
    **dict.fromkeys(_WORKS, JobState.RUNNING),
    SlurmState.COMPLETED: JobState.DONE,
    SlurmState.FAILED: JobState.FAILED,
    SlurmState.CANCELLED: JobState.CANCELLED,
    SlurmState.TIMEOUT: JobState.TIMEOUT,
    SlurmState.DEADLINE: JobState.TIMEOUT,
    SlurmState.OUT_OF_MEMORY: JobState.OUT_OF_MEMORY,
    SlurmState.NODE_FAIL: JobState.NODE_FAILED,
    SlurmState.BOOT_FAIL: JobState.NODE_FAILED,
    SlurmState.LAUNCH_FAILED: JobState.NODE_FAILED,
    SlurmState.PREEMPTED: JobState.NODE_FAILED,
    SlurmState.REVOKED: JobState.UNKNOWN,
    SlurmState.UNNAMED: JobState.UNKNOWN,
}


def job_state(state: SlurmState) -> JobState:
    """Return what a state of SLURM's means. One that is not known is UNKNOWN, never an end."""
    return _MEANING[state]


def parse_state(text: str) -> SlurmState:
    """Return the state of a printed word, such as ``CANCELLED by 1000`` or ``RUNNING``."""
    word = text.split()[0].rstrip("+") if text.strip() else ""
    try:
        return SlurmState(word)
    except ValueError:
        return SlurmState.UNNAMED
