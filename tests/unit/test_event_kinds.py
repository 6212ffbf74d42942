"""Every kind of event that a program writes is in the registry, and every kind in the registry is written."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from nightshift.command_line import build_parser
from nightshift.night_watch.look import registered_watches
from nightshift.vocabulary import Disposition, Reason, all_event_kinds, event_kind, kinds_ended_by
from nightshift.vocabulary.event_table import event_page
from nightshift.workflow.overrides import Verdict

ROOT = Path(__file__).parents[2]
# Where the kind is made while the program runs: the kinds that each such file writes.
MADE_WHILE_RUNNING = {
    "nightshift/kinds/master/record.py": {
        Reason.GAIN_DISAGREES, Reason.READ_NOISE_DISAGREES, Reason.UNREADABLE_FILE, Reason.HEADER_IMPOSSIBLE,
    },
    "nightshift/night_watch/look.py": {
        kind for watch in registered_watches() for kind in (watch.kind, watch.over)
    },
    "nightshift/pins/changes.py": {"settings_changed", "code_changed"},
    "nightshift/ingest/leave.py": {f"file_{each}" for each in Disposition if each is not Disposition.REGISTERED},
    "nightshift/workflow/overrides.py": {f"operator_{verdict}s" for verdict in Verdict},
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """The kind of one call, as it is written in the source."""

    file: str
    line: int
    kind: str | None  # None where it is made while the program runs


@dataclass(frozen=True)
class Speaker:
    """A function that is given the kind by its caller."""

    file: str
    name: str
    place: int  # of the kind among its arguments
    argument: str


def _sources() -> dict[str, ast.Module]:
    folders = ("nightshift", "operators", "rehearsal", "dags", "plugins")
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths}


@cache
def _said() -> tuple[Said, ...]:
    """Return every call that writes an event; a function that is given the kind is followed to its callers."""
    sources, found, speakers, known = _sources(), [], [], set()
    for file, tree in sources.items():
        for function, call in _calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "event" and len(call.args) >= 3:
                found += _follow(file, function, call.args[1], call.lineno, speakers)
    while speakers:
        speaker = speakers.pop()
        if speaker in known:
            continue
        known.add(speaker)
        for file, tree in sources.items():
            if speaker.name.startswith("_") and file != speaker.file:
                continue
            for function, call in _calls(tree):
                if _name(call) == speaker.name and (kind := _argument(call, speaker)) is not None:
                    found += _follow(file, function, kind, call.lineno, speakers)
    return tuple(found)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    inside = {
        id(node): function
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield inside.get(id(node)), node


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _argument(call: ast.Call, speaker: Speaker) -> ast.expr | None:
    if len(call.args) > speaker.place:
        return call.args[speaker.place]
    return next((each.value for each in call.keywords if each.arg == speaker.argument), None)


def _follow(file, function, kind: ast.expr, line: int, speakers: list[Speaker]) -> list[Said]:
    """Return the kinds that an expression can be; one that is an argument of its function is asked of the callers."""
    if isinstance(kind, ast.IfExp):
        return [said for each in (kind.body, kind.orelse) for said in _follow(file, function, each, line, speakers)]
    if isinstance(kind, ast.Constant):
        return [Said(file, line, kind.value)]
    if isinstance(kind, ast.Name) and function is not None:
        arguments = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
        if kind.id in arguments:
            place = arguments.index(kind.id) - (arguments[0] == "self")
            speakers.append(Speaker(file, function.name, place, kind.id))
            return []
        if (value := _assigned(function, kind.id)) is not None:
            return _follow(file, function, value, line, speakers)
    return [Said(file, line, None)]


def _assigned(function: ast.FunctionDef, name: str) -> ast.expr | None:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            for left, right in pairs:
                if isinstance(left, ast.Name) and left.id == name:
                    return right
    return None


def _written() -> set[str]:
    literal = {said.kind for said in _said() if said.kind is not None}
    return literal | {str(kind) for kinds in MADE_WHILE_RUNNING.values() for kind in kinds}


def test_every_kind_that_is_written_is_in_the_registry():
    missing = {said for said in _said() if said.kind is not None and event_kind(said.kind) is None}
    assert not missing, "add them to nightshift/vocabulary/event_kinds.py"


def test_every_kind_of_the_registry_is_written():
    assert {kind.name for kind in all_event_kinds()} - _written() == set()


def test_the_kinds_that_are_made_while_the_program_runs_are_listed_here():
    assert {said.file for said in _said() if said.kind is None} == set(MADE_WHILE_RUNNING)
    assert all(event_kind(str(kind)) for kinds in MADE_WHILE_RUNNING.values() for kind in kinds)


def test_the_search_follows_a_kind_through_the_functions_that_are_given_it():
    kinds = {(said.file, said.kind) for said in _said()}
    assert ("nightshift/workflow/arrays.py", "array_refused") in kinds  # by `call_once` of another module
    assert ("nightshift/workflow/reaper.py", "lost_run_reaped") in kinds  # by a function of its own
    assert ("nightshift/night_end/close.py", "unbalanced") in kinds  # one of two


@pytest.mark.parametrize("kind", all_event_kinds(), ids=lambda kind: kind.name)
def test_a_kind_says_what_it_is_and_what_to_do(kind):
    assert re.fullmatch(r"[a-z][a-z_]+", kind.name)
    assert kind.sentence.endswith(".")
    assert not kind.first_step or kind.first_step.endswith(".")
    assert kind.needs_human or not kind.command, "a command is for somebody who must act"


@pytest.mark.parametrize("kind", all_event_kinds(), ids=lambda kind: kind.name)
def test_what_ends_a_kind_is_a_kind_that_needs_nobody(kind):
    for name in kind.ended_by:
        ending = event_kind(name)
        assert ending is not None and not ending.needs_human
        assert kind.name in kinds_ended_by(name)


@pytest.mark.parametrize("kind", [kind for kind in all_event_kinds() if kind.command], ids=lambda kind: kind.name)
def test_a_command_of_ours_exists(kind):
    program, verb, *_ = kind.command.split()
    assert program != "nightshift" or verb in _verbs()


def _verbs() -> set[str]:
    parser = build_parser()
    return {verb for action in parser._subparsers._group_actions for verb in action.choices}


def test_the_page_is_that_of_the_registry():
    assert (ROOT / "docs" / "events.md").read_text() == event_page()


def test_names_and_sentences_are_each_used_once():
    kinds = all_event_kinds()
    assert len({kind.name for kind in kinds}) == len({kind.sentence for kind in kinds}) == len(kinds)
