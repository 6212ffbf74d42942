"""What the pages tell a user to type is there: commands and options, targets of make, variables, files, links."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from nightshift.command_line import build_parser
from nightshift.ingest.manifests import read_manifest
from nightshift.settings import load_deployment, load_survey
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import PASSED_ON, Machine, Outside
from nightshift.stack.ports import Ports

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
CODE = [path for folder in ("nightshift", "operators", "plugins") for path in (ROOT / folder).rglob("*.py")]
VARIABLE = re.compile(r"NIGHTSHIFT_[A-Z]+(?:_[A-Z]+)*")
# read before anything is started, or set by the stack for itself
OF_THE_COMMAND = {
    "NIGHTSHIFT_VAR", "NIGHTSHIFT_TRACEBACK", "NIGHTSHIFT_STACK", "NIGHTSHIFT_PART", "NIGHTSHIFT_PORT",
    "NIGHTSHIFT_PORT_AIRFLOW", "NIGHTSHIFT_HEARTBEAT_TELL", "NIGHTSHIFT_SECOND_COPY",  # the last one is refused
}  # fmt: skip
NO_VARIABLE = {"NIGHTSHIFT_API"}  # the end of the name of Airflow's connection


def typed(page):
    """The lines that a page shows as typed: indented ones, and words between backticks."""
    text = re.sub(r"\\\n +", "", page.read_text())
    lines = re.findall(r"^ {4,}(?!\|)(.*)$", text, re.MULTILINE) + re.findall(r"`([^`]+)`", text)
    return [" ".join(line.split("  #")[0].split()) for line in lines]


def commands(page):
    """What is typed to `nightshift` on a page, from after its name."""
    for line in typed(page):
        if found := re.search(r"(?:^|[/(\s])nightshift ([a-z].*)", line):
            yield found[1].split("|")[0].split(";")[0].strip(' ")\\')


def parser_of(words):
    """The parser of a command and what is left of its words."""
    parser = build_parser()
    while choices := next((a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None):
        assert words and words[0] in choices, f"nightshift {' '.join(words)}: there are {', '.join(choices)}"
        parser, words = choices[words[0]], words[1:]
    return parser, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_there_with_its_options(page):
    for command in commands(page):
        parser, rest = parser_of(shlex.split(command.replace("<", "'<").replace(">", ">'")))
        known = {option for action in parser._actions for option in action.option_strings}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_and_variable_of_make_on_a_page_is_there(page):
    makefile = (ROOT / "Makefile").read_text()
    for line in typed(page):
        if line.startswith("make "):
            target, *given = line.split()[1:]
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), line
            for name, _, value in (word.partition("=") for word in given if "=" in word):
                assert re.search(rf"\b{name}\b", makefile), line
                assert name != "NAME" or (ROOT / "benchmarks" / f"{value}.py").is_file(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_on_a_page_is_read(page):
    places = [*CODE, ROOT / "docker-compose.yaml", ROOT / "Makefile"]
    read = set(VARIABLE.findall("\n".join(path.read_text() for path in places)))
    assert set(VARIABLE.findall(page.read_text())) <= read


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_file_of_ours_on_a_page_is_there(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`((?:nightshift|reduction|tests|docs|deploy|sql|dags|operators)/[^`\s<>*{}]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_manifest_that_a_page_shows_is_one():
    page = (ROOT / "docs" / "new-camera.md").read_text()
    shown = page[page.index('    {\n      "schema"') : page.index("    }\n\n") + 6]
    survey = load_survey("demo")
    elsewhere = survey.model_copy(update={"site": survey.site.model_copy(update={"name": "my_mountain"})})
    manifest = read_manifest(shown.encode(), "manifest_20260131.json", elsewhere)
    assert [file["name"] for file in manifest["files"]] == ["mycam_0001.fits"]


def test_a_variable_that_a_part_reads_reaches_it_from_whoever_starts_the_stack(tmp_path, monkeypatch):
    for name in ("URL", "SECRET"):  # of the part that tells people
        monkeypatch.setenv(f"NIGHTSHIFT_HEARTBEAT_{name}", "set")
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    home.postgres.mkdir()
    (home.postgres / "password").write_text("x")
    set_by_us = set(Machine(load_deployment("demo"), home, Ports(), Outside()).environment())
    read = set(VARIABLE.findall("\n".join(path.read_text() for path in CODE)))
    assert read - OF_THE_COMMAND - NO_VARIABLE - set_by_us == set(PASSED_ON) - set_by_us
