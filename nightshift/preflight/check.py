"""What a check is, and which there are: each one function in a module of `nightshift.preflight.checks`."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.night_plan.make_plan import NightPlan
from nightshift.settings.preflight_policy import PreflightPolicy
from nightshift.vocabulary import CheckState

__all__ = [
    "Afternoon", "Check", "Finding", "check", "checks", "counted_as", "green", "red", "unknown", "worst", "yellow",
]  # fmt: skip


@dataclass(frozen=True)
class Afternoon:
    """What a check is given.

    Parameters
    ----------
    context : Context
        Of the site, with a connection to the ledger of this check alone.
    night : date
        That begins this evening.
    plan : NightPlan or None
        Its plan; None where it could not be made.
    """

    context: Context
    night: date
    plan: NightPlan | None

    @property
    def policy(self) -> PreflightPolicy:
        """The thresholds: the same for all instruments of the site."""
        return self.context.deployment.surveys[0].preflight


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Parameters
    ----------
    state : CheckState
    sentence : str
        What was found, with its number.
    advice : str
        What to do; empty where all is well.
    number : float or None
        The value that was compared, where there is one.
    unit : str
        Of the number.
    """

    state: CheckState
    sentence: str
    advice: str = ""
    number: float | None = None
    unit: str = ""


CheckFunction = Callable[[Afternoon], Finding]


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    name : str
        In the ledger, and as the subject of its events.
    title : str
        As pages call it.
    run : callable
    within_s : float or None
        After which it is given up; None: `preflight.check_s`.
    """

    name: str
    title: str
    run: CheckFunction
    within_s: float | None = None


_REGISTERED: dict[str, Check] = {}


def check(name: str, title: str, *, within_s: float | None = None) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as a check; a name is used once."""

    def register(function: CheckFunction) -> CheckFunction:
        if name in _REGISTERED:
            raise ValueError(f"two checks are called {name!r}: rename one of them")
        _REGISTERED[name] = Check(name, title, function, within_s)
        return function

    return register


def checks() -> tuple[Check, ...]:
    """Return every check, in the order of their names; each module of the folder is read."""
    from nightshift.preflight import checks as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    return tuple(_REGISTERED[name] for name in sorted(_REGISTERED))


def green(sentence: str, *, number: float | None = None, unit: str = "") -> Finding:
    """Return that all is well."""
    return Finding(CheckState.GREEN, sentence, "", number, unit)


def yellow(sentence: str, advice: str, *, number: float | None = None, unit: str = "") -> Finding:
    """Return that the night can begin, and that somebody should look."""
    return Finding(CheckState.YELLOW, sentence, advice, number, unit)


def red(sentence: str, advice: str, *, number: float | None = None, unit: str = "") -> Finding:
    """Return that somebody must act before the night."""
    return Finding(CheckState.RED, sentence, advice, number, unit)


def unknown(sentence: str, advice: str) -> Finding:
    """Return that there was no answer."""
    return Finding(CheckState.UNKNOWN, sentence, advice)


def counted_as(count: int, one: str, several: str = "") -> str:
    """Return a number with what is counted: `several`, or `one` with an s, where it is not one."""
    return f"{count} {one if count == 1 else several or one + 's'}"


ORDER = (CheckState.RED, CheckState.UNKNOWN, CheckState.YELLOW, CheckState.GREEN)


def worst(findings: Iterable[Finding]) -> Finding:
    """Return several findings as one: the worst state, and the sentences of all that are in it.

    Raises
    ------
    ValueError
        If there are none: nothing found is not green.
    """
    found = sorted(findings, key=lambda finding: ORDER.index(finding.state))
    if not found:
        raise ValueError("a check without a finding")
    alike = [finding for finding in found if finding.state is found[0].state]
    advice = "; ".join(dict.fromkeys(finding.advice for finding in alike if finding.advice))
    sentence = "; ".join(finding.sentence for finding in alike)
    return Finding(found[0].state, sentence, advice, alike[0].number, alike[0].unit)
