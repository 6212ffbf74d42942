"""The keys of runs and jobs, as text and as they are read back from a run's `conf`.

A `conf` holds natural keys as text and nothing else, so that a run can be asked for by hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.keys import LIVE
from nightshift.kinds import Kind, kind_named, kind_of_workflow
from nightshift.ledger.queries import nights as nights_queries
from nightshift.vocabulary import Reason

__all__ = ["NIGHT_DAG", "Subject", "context_of", "run_id", "subject_of", "subject_of_run"]

NIGHT_DAG = "end_of_night"
NIGHT_KEY = ("site", "night")
_DEFAULTS = {"filter": "", "version": "1", "oldest": "", "campaign": LIVE}
_MAY_BE_EMPTY = ("filter", "oldest")
_SAFE = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Subject:
    """What one job is for: its kind and the natural keys of the `conf`."""

    kind: Kind
    conf: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        return dict(self.conf)[name]

    @classmethod
    def parse(cls, kind: str, text: str, campaign: str) -> "Subject":
        """Return the subject of a job's row; a key that came to its kind later has its default."""
        known = kind_named(kind)
        values = dict(zip(known.key, ("" if part == "-" else part for part in text.split("/")), strict=False))
        missing = {name: _DEFAULTS[name] for name in known.key if name not in values}
        return cls(known, (*(values | missing).items(), ("campaign", campaign)))

    @property
    def text(self) -> str:
        """The subject without kind and campaign."""
        return "/".join(self[name] or "-" for name in self.kind.key)

    @property
    def job_key(self) -> str:
        """Kind, subject and campaign: the same work is the same job. Safe as a path."""
        return f"{self.kind}/{self.text}/{self.campaign}"

    @property
    def campaign(self) -> str:
        """The campaign that its products belong to."""
        return self["campaign"]

    def scope(self, context: Context) -> Context:
        """Return the context of the instrument or the site that it belongs to."""
        return context.of_work(dict(self.conf))

    @property
    def night(self) -> date:
        """The night of the `conf`, where it has one."""
        return date.fromisoformat(self["night"])


def subject_of(kind: str | Kind, conf: Mapping[str, str]) -> Subject:
    """Return the subject that a run's `conf` names.

    Raises
    ------
    BadInput
        If a key is missing or holds characters that no key has.
    """
    known = kind_named(str(kind))
    values = {}
    for name in (*known.key, "campaign"):
        value = str(conf.get(name, _DEFAULTS.get(name, "")))
        if name == "night":
            value = value and _iso_night(value)
        if not (_SAFE.fullmatch(value) and value.strip(".")) and not (name in _MAY_BE_EMPTY and value == ""):
            raise BadInput(Reason.INTERNAL_ERROR, f"a run of kind {known} needs {name} in its conf, not {value!r}")
        values[name] = value
    return Subject(known, tuple(values.items()))


def _iso_night(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadInput(Reason.INTERNAL_ERROR, f"night {text!r} is not a date like 2026-01-31") from error


def context_of(context: Context, subject: Subject) -> Context:
    """Return the context of a subject's instrument or site, with the settings of the night that it belongs to.

    One that belongs to no single night, such as a reference, is worked on with those of the night under way.
    """
    context, known = subject.scope(context), dict(subject.conf)
    if "night" in known:
        return context.of_night(subject.night)
    if not subject.kind.of_exposure:
        return context
    night = nights_queries.night_of_exposure(
        context.ledger, instrument=known["instrument"], exposure_id=known["exposure_id"]
    )
    return context.of_night(night)


def subject_of_run(dag_id: str, conf: Mapping[str, str]) -> str:
    """Return the text under which the runs of one subject are counted: the job's key, or the night's."""
    if dag_id == NIGHT_DAG:
        return f"{NIGHT_DAG}/{conf['site']}/{conf['night']}"
    return subject_of(kind_of_workflow(dag_id), conf).job_key


def run_id(dag_id: str, conf: Mapping[str, str], times_asked: int) -> str:
    """Return the deterministic id of a subject's next run: the workflow, the subject's keys, and which time it is.

    Parameters
    ----------
    times_asked : int
        How many runs of the subject were asked for before.
    """
    key = NIGHT_KEY if dag_id == NIGHT_DAG else kind_of_workflow(dag_id).key
    words = [dag_id, *(_word(name, str(conf.get(name, _DEFAULTS.get(name, "")))) for name in key)]
    if conf.get("campaign", LIVE) != LIVE:
        words.append(conf["campaign"])
    if times_asked:
        words.append(f"a{times_asked + 1}")
    return "__".join(re.sub(r"[^A-Za-z0-9_.-]", "-", word) for word in words if word)


def _word(name: str, value: str) -> str:
    if name == "night":
        return value.replace("-", "")
    return f"v{value}" if name == "version" else value
