"""When the wait for an array is over."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from nightshift.runners.base import TaskReport
from nightshift.vocabulary import JobState

__all__ = ["Watch"]

LOST_AFTER_S = 30.0


@dataclass
class Watch:
    """Judges the answers of a runner about one array, one after the other.

    Waiting ends when every task has ended, or when the soft deadline since the first task's start has passed: an
    exposure goes on without its stragglers. Time in the queue does not count. An answer that could not be had
    changes nothing; an array that the runner, asked and answering, does not know for `lost_after_s` is lost.

    Parameters
    ----------
    soft_deadline_s : float
        Real seconds from the start of the first task.
    lost_after_s : float
        Real seconds.
    """

    soft_deadline_s: float
    lost_after_s: float = LOST_AFTER_S
    _started: float | None = field(default=None, init=False)
    _absent_since: float | None = field(default=None, init=False)

    def over(self, reports: Sequence[TaskReport] | None, *, asked: bool, now: float) -> str | None:
        """Return why the wait is over, or None while it is not.

        Parameters
        ----------
        reports : sequence of TaskReport or None
            Of the array's tasks; None where the runner does not know it.
        asked : bool
            Whether the runner answered. If not, `reports` means nothing.
        now : float
            Seconds since 1970.
        """
        if asked and (why := self._judge(reports or (), now)):
            return why
        if self._started is not None and now - self._started > self.soft_deadline_s:
            return "soft deadline passed"
        return None

    def _judge(self, reports: Sequence[TaskReport], now: float) -> str | None:
        if not reports:
            self._absent_since = now if self._absent_since is None else self._absent_since
            return "the runner does not know it" if now - self._absent_since > self.lost_after_s else None
        self._absent_since = None
        starts = [report.started for report in reports if report.started is not None]
        if starts:
            self._started = min(starts)
        if all(report.state.ended for report in reports):
            return _counted(reports)
        return None


def _counted(reports: Sequence[TaskReport]) -> str:
    counts = {state: sum(report.state is state for report in reports) for state in JobState}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
