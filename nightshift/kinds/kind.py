"""A kind of work: what the rest of the operator knows of it, and where its own parts are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightshift.context import Context
    from nightshift.jobs.contract import UnitResult, UnitWork
    from nightshift.kinds.plans import Plan
    from nightshift.kinds.poll import Poll
    from nightshift.settings import Survey
    from nightshift.workflow.persistence import Ending
    from nightshift.workflow.subjects import Subject

__all__ = ["Kind", "Rank"]


class Rank(IntEnum):
    """Which kind of work goes first, from the last to the first."""

    REPROCESSING = 0  # a campaign other than the live one
    BACKLOG = 1  # live work that no alert waits for
    REAL_TIME = 2  # an exposure of the night that is under way
    MORNING = 3  # what the end of the night waits for
    CALIBRATION = 4  # what exposures wait for


@dataclass(frozen=True)
class Kind:
    """One kind of work. Its folder holds all that is particular to it; the rest of the code asks this object.

    Its modules are loaded when they are first needed, so that a node loads no ledger and a workflow no pixels:

    ``work.py``
        ``run(work, survey, folder)``: what a node does with one unit; where it compiles kernels, ``warm_up()``.
    ``plan.py``
        ``plan(context, subject)``: the units that a subject needs now, with their inputs. Where what is new goes
        first and the subject is no exposure, ``moment(context, subject)``: when what it works on was taken.
    ``record.py``
        ``record(context, ending)``: the rows that an ended unit leaves, and ``home(context, subject, work)``: the
        folder of its products and the night that they count to. Where they are needed:
        ``awaits(context, work)``: whether the ledger still waits for what an attempt at a unit made, for only then
        are its products placed; ``begin(context, subject, unit_keys)`` when an array of it was written down,
        ``end(context, subject)`` when nothing of a subject is open any more, ``forget_cancelled(context, subject)``
        when a person wants what was cancelled.
    ``due.py``
        ``due(context, poll)``: the subjects that are due; where it is needed, ``requested(context, conf, run_id)``
        when one was asked for. A kind without it is only asked for by other workflows.
    ``queries.sql``
        Its named queries; their topic is the kind's name, which no file of ``sql/queries`` may have.

    Parameters
    ----------
    name : str
        As jobs, files and pages call it.
    says : str
        One sentence.
    package : str
        Its folder, as a package.
    key : tuple of str
        The keys of a run's `conf` that name a subject.
    workflows : tuple of str
        The DAGs that work on it; the first is the one that is asked for.
    settings : tuple of str, optional
        The settings that its `run` reads, as tables or keys with their place, such as ``reduction`` or
        ``alerts.at_most_per_unit``: only a change of these changes the settings' hash of its products. None: all.
    rank : Rank
        Which goes first.
    urgency : int
        The place of its subjects among all that are due: the lowest is asked for first.
    of_exposure : bool
        Whether a subject is an exposure: then the newest goes first, and the alerts of its field are released after.
    real_time : bool
        Whether it counts as real time while its exposure's night is under way.
    asked_at_closing : bool
        Whether the end of the night asks for it, and so does not wait for its runs before.
    holds_night : bool
        Whether no night closes while a subject is due, though nothing in the ledger is open because of it.
    lasting : bool
        Whether later nights use what it makes, as masters and references: then its products, and what they were made
        of, stay in the ledger when the month of their night is taken out.
    """

    name: str
    says: str
    package: str
    key: tuple[str, ...]
    workflows: tuple[str, ...]
    settings: tuple[str, ...] | None = None
    rank: Rank = Rank.BACKLOG
    urgency: int = 100
    of_exposure: bool = False
    real_time: bool = False
    asked_at_closing: bool = False
    holds_night: bool = False
    lasting: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def workflow(self) -> str:
        """The DAG that is asked to work on it."""
        return self.workflows[0]

    @property
    def queries(self) -> Path:
        """The file of its named queries; it need not be there."""
        spec = find_spec(self.package)
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent / "queries.sql"

    # --- what its modules do ---------------------------------------------------------------------------------

    def run(self, work: "UnitWork", survey: "Survey", folder: Path) -> "UnitResult":
        """Do what a node does with one unit."""
        result: UnitResult = self._module("work").run(work, survey, folder)
        return result

    def warm_up(self) -> None:
        """Load what a node needs, and do once what the first unit would wait for."""
        self._module("work")
        self._call("work", "warm_up")

    def load(self) -> None:
        """Load everything but the work, in a process that is forked for each task."""
        for module in ("due", "plan", "record"):
            if _has_module(self.package, module):
                self._module(module)

    def plan(self, context: "Context", subject: "Subject") -> "Plan":
        """Return the units that a subject needs now."""
        plan: Plan = self._module("plan").plan(context, subject)
        return plan

    def moment(self, context: "Context", subject: "Subject") -> datetime | None:
        """Return when what a subject works on was taken, None where its kind does not go by that."""
        moment: datetime | None = self._call("plan", "moment", context, subject)
        return moment

    def due(self, context: "Context", poll: "Poll") -> Iterable[dict[str, str]]:
        """Return the `conf` of each subject that is due, most wanted first."""
        found: Iterable[dict[str, str]] = self._call("due", "due", context, poll) or ()
        return found

    def requested(self, context: "Context", conf: Mapping[str, str], run_id: str) -> None:
        """Note that a run was asked for."""
        self._call("due", "requested", context, conf, run_id)

    def begin(self, context: "Context", subject: "Subject", unit_keys: list[str]) -> None:
        """Note that units are in an array."""
        self._call("record", "begin", context, subject, unit_keys)

    def home(self, context: "Context", subject: "Subject", work: "UnitWork") -> tuple[Path, date]:
        """Return the folder of a unit's products, and the night that they count to."""
        home: tuple[Path, date] = self._module("record").home(context, subject, work)
        return home

    def awaits(self, context: "Context", work: "UnitWork") -> bool:
        """Whether the ledger still waits for what an attempt at a unit made."""
        return self._call("record", "awaits", context, work) is not False

    def record(self, context: "Context", ending: "Ending") -> None:
        """Write the rows that an ended unit leaves."""
        self._module("record").record(context, ending)

    def end(self, context: "Context", subject: "Subject") -> None:
        """Note that nothing of a subject is open any more."""
        self._call("record", "end", context, subject)

    def forget_cancelled(self, context: "Context", subject: "Subject") -> None:
        """Take back the failures that a cancel left."""
        self._call("record", "forget_cancelled", context, subject)

    def _call(self, module: str, function: str, *arguments: Any) -> Any:
        """Call a function that a kind need not have."""
        if not _has_module(self.package, module):
            return None
        found = getattr(self._module(module), function, None)
        return found(*arguments) if found is not None else None

    def _module(self, name: str) -> ModuleType:
        return import_module(f"{self.package}.{name}")


@cache
def _has_module(package: str, name: str) -> bool:
    return find_spec(f"{package}.{name}") is not None
