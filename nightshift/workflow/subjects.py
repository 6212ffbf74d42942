"""The keys of runs and jobs, as text and as they are read back from a run's `conf`.

A `conf` holds natural keys as text and nothing else, so that a run can be asked for by hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from nightshift.errors import BadInput
from nightshift.keys import LIVE
from nightshift.vocabulary import JobKind, Reason

__all__ = ["DAG_KINDS", "NIGHT_DAG", "Subject", "run_id", "subject_of", "subject_of_run"]

NIGHT_DAG = "end_of_night"
DAG_KINDS = {
    "calibrations": JobKind.MASTER,
    "exposure": JobKind.SCIENCE,
    "references": JobKind.REFERENCE,
    "regenerate_references": JobKind.REFERENCE,
    "difference": JobKind.DIFFERENCE,
    "moving_objects": JobKind.MOVING_OBJECTS,
}
_PARTS = {
    JobKind.MASTER: ("instrument", "night", "kind", "filter", "version"),
    JobKind.SCIENCE: ("instrument", "exposure_id"),
    JobKind.REFERENCE: ("instrument", "field", "filter", "version"),
    JobKind.DIFFERENCE: ("instrument", "exposure_id", "version"),
    JobKind.MOVING_OBJECTS: ("site", "night"),
}
_DEFAULTS = {"filter": "", "version": "1", "campaign": LIVE}
_SAFE = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Subject:
    """What one job is for: its kind and the natural keys of the `conf`."""

    kind: JobKind
    conf: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        return dict(self.conf)[name]

    @classmethod
    def parse(cls, kind: JobKind, text: str, campaign: str) -> "Subject":
        """Return the subject of a job's row."""
        values = ("" if part == "-" else part for part in text.split("/"))
        return cls(kind, (*zip(_PARTS[kind], values, strict=True), ("campaign", campaign)))

    @property
    def dag_id(self) -> str:
        """The workflow that works on it."""
        return next(dag_id for dag_id, kind in DAG_KINDS.items() if kind is self.kind)

    @property
    def text(self) -> str:
        """The subject without kind and campaign."""
        return "/".join(self[name] or "-" for name in _PARTS[self.kind])

    @property
    def job_key(self) -> str:
        """Kind, subject and campaign: the same work is the same job. Safe as a path."""
        return f"{self.kind}/{self.text}/{self.campaign}"

    @property
    def campaign(self) -> str:
        """The campaign that its products belong to."""
        return self["campaign"]

    @property
    def night(self) -> date:
        """The night of the `conf`, where it has one."""
        return date.fromisoformat(self["night"])


def subject_of(kind: JobKind, conf: Mapping[str, str]) -> Subject:
    """Return the subject that a run's `conf` names.

    Raises
    ------
    BadInput
        If a key is missing or holds characters that no key has.
    """
    values = {}
    for name in (*_PARTS[kind], "campaign"):
        value = str(conf.get(name, _DEFAULTS.get(name, "")))
        if name == "night":
            value = value and _iso_night(value)
        if not (_SAFE.fullmatch(value) and value.strip(".")) and not (name == "filter" and value == ""):
            raise BadInput(Reason.INTERNAL_ERROR, f"a run of kind {kind} needs {name} in its conf, not {value!r}")
        values[name] = value
    return Subject(kind, tuple(values.items()))


def _iso_night(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadInput(Reason.INTERNAL_ERROR, f"night {text!r} is not a date like 2026-01-31") from error


def subject_of_run(dag_id: str, conf: Mapping[str, str]) -> str:
    """Return the text under which the runs of one subject are counted: the job's key, or the night's."""
    if dag_id == NIGHT_DAG:
        return f"{NIGHT_DAG}/{conf['site']}/{conf['night']}"
    return subject_of(DAG_KINDS[dag_id], conf).job_key


def run_id(dag_id: str, conf: Mapping[str, str], times_asked: int) -> str:
    """Return the deterministic id of a subject's next run.

    Parameters
    ----------
    times_asked : int
        How many runs of the subject were asked for before.
    """
    night = conf.get("night", "").replace("-", "")
    parts = {
        "exposure": ("instrument", "exposure_id"),
        "difference": ("instrument", "exposure_id"),
        "references": ("field", "filter"),
        "calibrations": ("instrument", "", "kind", "filter"),
        NIGHT_DAG: ("site", ""),
        "moving_objects": ("site", ""),
    }[dag_id]
    words = [dag_id, *(night if part == "" else conf.get(part, "") for part in parts)]
    version = conf.get("version", "1")
    if dag_id == "references" or (dag_id == "calibrations" and version != "1"):
        words.append(f"v{version}")
    if dag_id == "difference":
        words.append(f"r{version}")
    if conf.get("campaign", LIVE) != LIVE:
        words.append(conf["campaign"])
    if times_asked:
        words.append(f"a{times_asked + 1}")
    return "__".join(re.sub(r"[^A-Za-z0-9_.-]", "-", word) for word in words if word)
