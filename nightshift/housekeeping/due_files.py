"""What may leave the depot now, and why the rest of what is old enough stays. Nothing is changed here."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from nightshift.context import Context
from nightshift.housekeeping.retention_rules import ObservedNights, Rule, rules
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries.housekeeping import DueFile
from nightshift.settings.retention import ALWAYS

__all__ = [
    "ATTEMPTS",
    "NO_SECOND_PLACE",
    "DueFiles",
    "archived_on_disk",
    "due_attempts",
    "due_files",
    "nights_without_attempts",
]

ATTEMPTS = "attempts"  # kind of a job's folder in `deletions`
NOT_TWICE = "the archive and the second copy do not both hold it, verified"
NO_SECOND_PLACE = "no second copy is made (its place is not set)"


@dataclass
class DueFiles:
    """What one rule lets go of one night.

    Parameters
    ----------
    night : date
    rule : Rule
    files : list of DueFile
        That may leave.
    why_not : Counter
        How many files stay that are old enough, by the reason.
    """

    night: date
    rule: Rule
    files: list[DueFile] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)

    @property
    def bytes(self) -> int:
        """The sizes of what may leave, added up."""
        return sum(file.bytes for file in self.files)


def due_files(context: Context, observed: ObservedNights) -> Iterator[DueFiles]:
    """Yield what each rule lets go, the oldest night first.

    Parameters
    ----------
    context : Context
        Of one site.
    observed : ObservedNights
    """
    ledger, site = context.ledger, context.site.name
    cleaned = {(row.night, row.kind) for row in housekeeping_queries.cleaned(ledger, site=site)}
    every_rule = rules(context.retention_policy)
    second_place = housekeeping_queries.has_second_place(ledger, site=site)
    lasting = housekeeping_queries.lasting_work(ledger, site=site)
    for night in observed.nights[::-1]:
        age = observed.since(night.night)
        due = [rule for rule in every_rule if age >= rule.nights and (night.night, rule.kind) not in cleaned]
        if not due:
            continue
        stays = housekeeping_queries.why_night_stays(ledger, site=site, night=night.night)
        needed = _needed(context, night.night)
        for rule in due:
            found = DueFiles(night.night, rule)
            rows = housekeeping_queries.files_due(ledger, site=site, night=night.night, kind=rule.kind)
            for file in {row.source: row for row in rows}.values():
                why = (
                    stays
                    or needed.get(file.source)
                    or _too_young(observed, rule, file)
                    or ("a master or a reference is being made" if lasting else "")
                    or _not_in_two_places(context, file, second_place=second_place)
                )
                if why:
                    found.why_not[why] += 1
                else:
                    found.files.append(file)
            yield found


def _needed(context: Context, night: date) -> dict[str, str]:
    """Return why products of a night are needed later, by their place."""
    rows = housekeeping_queries.needed_products(context.ledger, site=context.site.name, night=night)
    return {row.path: row.why for row in rows}


def _too_young(observed: ObservedNights, rule: Rule, file: DueFile) -> str:
    """Return that a file was brought back lately, an empty text where it was not."""
    if file.restored_on is not None and observed.since(file.restored_on) < rule.nights:
        return f"it was brought back on {file.restored_on}"
    return ""


def _not_in_two_places(context: Context, file: DueFile, *, second_place: bool) -> str:
    if not second_place:
        return NO_SECOND_PLACE
    if file.archived_in_two_places is None:
        return NOT_TWICE
    if not archived_on_disk(context, file.archived, file.bytes):
        return "its archived file is not there, or has another size"
    return ""


def archived_on_disk(context: Context, archived: str, size: int) -> bool:
    """Whether the archive has a plain file of that size at a place, whatever the ledger says."""
    try:
        found = os.lstat(context.depot.root / "archive" / archived)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def due_attempts(context: Context, observed: ObservedNights) -> Iterator[tuple[date, Rule, str]]:
    """Yield night, rule and place of each job's folder that may leave: what it made is elsewhere."""
    by_failed = _rules_of_attempts(context)
    for night, age in _nights_of_attempts(
        context, observed, min((r.nights for r in by_failed.values()), default=None)
    ):
        for folder in housekeeping_queries.folders_due(context.ledger, site=context.site.name, night=night):
            rule = by_failed.get(folder.failed)
            if rule is not None and age >= rule.nights:
                yield night, rule, folder.path


def nights_without_attempts(context: Context, observed: ObservedNights) -> Iterator[date]:
    """Yield the nights of which every job's folder has left."""
    rules_of_both = _rules_of_attempts(context)
    most = max((rule.nights for rule in rules_of_both.values()), default=None) if len(rules_of_both) == 2 else None
    for night, _ in _nights_of_attempts(context, observed, most):
        if not housekeeping_queries.folders_due(context.ledger, site=context.site.name, night=night):
            yield night


def _rules_of_attempts(context: Context) -> dict[bool, Rule]:
    """Return the rule of folders of jobs, by whether an attempt failed."""
    policy = context.retention_policy
    kept = {
        False: ("attempts_nights", policy.attempts_nights),
        True: ("failed_attempts_nights", policy.failed_attempts_nights),
    }
    return {failed: Rule(ATTEMPTS, key, nights) for failed, (key, nights) in kept.items() if nights != ALWAYS}


def _nights_of_attempts(context: Context, observed: ObservedNights, least: int | None) -> Iterator[tuple[date, int]]:
    """Yield the nights that are so old and not cleaned yet, the oldest first, with their age."""
    ledger, site = context.ledger, context.site.name
    cleaned = {row.night for row in housekeeping_queries.cleaned(ledger, site=site) if row.kind == ATTEMPTS}
    for night in observed.older_than(least) if least is not None else ():
        stays = night.night in cleaned or housekeeping_queries.why_night_stays(ledger, site=site, night=night.night)
        if not stays:
            yield night.night, observed.since(night.night)
