"""The command line says what is wrong in one line, and never in a traceback."""

import argparse
import json
import subprocess
import sys

import pytest

from nightshift import command_line
from nightshift.errors import NeedsOperator
from nightshift.vocabulary import Reason


@pytest.fixture
def command(monkeypatch):
    """Let `nightshift` have one command that does as the test says."""

    def install(run):
        parser = argparse.ArgumentParser()
        parser.set_defaults(run=run)
        monkeypatch.setattr(command_line, "build_parser", lambda: parser)

    monkeypatch.delenv("NIGHTSHIFT_TRACEBACK", raising=False)
    return install


def failing(error):
    def run(_):
        raise error

    return run


def test_an_unknown_survey_is_said_in_one_line_with_those_that_there_are(capsys):
    assert command_line.main(["status", "--survey", "nowhere"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "nowhere" in said
    assert "demo" in said


def test_an_error_for_the_operator_has_its_text_and_code_two(command, capsys):
    command(failing(NeedsOperator(Reason.INPUT_LOST, "the depot is not mounted")))
    assert command_line.main([]) == 2
    assert capsys.readouterr().err == "nightshift: the depot is not mounted\n"


def test_a_path_that_is_not_there_is_the_callers_to_mend_and_no_defect(tmp_path, capsys):
    missing = tmp_path / "truth"
    assert command_line.main(["score", "--truth", str(missing), "--alerts", str(missing)]) == 2
    assert capsys.readouterr().err == f"nightshift: {missing}: No such file or directory\n"


def test_a_model_is_not_trained_under_the_version_of_the_one_in_use(capsys):
    from nightshift.realbogus import REAL_BOGUS

    before = REAL_BOGUS.read_bytes()
    version = json.loads(before)["version"]
    assert command_line.main(["train-realbogus", version]) == 2
    assert f"is {version} already" in capsys.readouterr().err
    assert REAL_BOGUS.read_bytes() == before


def test_a_model_beside_the_one_in_use_has_a_version_of_its_own_too(tmp_path, capsys):
    from nightshift.realbogus import REAL_BOGUS

    version = json.loads(REAL_BOGUS.read_text())["version"]
    assert command_line.main(["train-realbogus", version, "--output", str(tmp_path / "other.json")]) == 2
    assert f"{REAL_BOGUS} is {version} already" in capsys.readouterr().err


@pytest.mark.parametrize("content", ['{"version": "ns-', '["ns-1"]', "{}"])
def test_a_model_is_not_written_over_a_file_that_is_none(tmp_path, capsys, content):
    path = tmp_path / "model.json"
    path.write_text(content)
    assert command_line.main(["train-realbogus", "ns-new", "--output", str(path)]) == 2
    assert f"{path} is no model" in capsys.readouterr().err
    assert path.read_text() == content


def test_a_command_without_its_ledger_says_how_to_find_that_of_this_machine(monkeypatch, capsys):
    monkeypatch.delenv("NIGHTSHIFT_LEDGER", raising=False)
    assert command_line.main(["due"]) == 2
    said = capsys.readouterr().err
    assert "NIGHTSHIFT_LEDGER is not set" in said
    assert 'eval "$(nightshift environment' in said


@pytest.mark.parametrize("missing", ["NIGHTSHIFT_SURVEY", "NIGHTSHIFT_DEPOT", "NIGHTSHIFT_INBOX"])
def test_a_setting_of_the_stack_that_is_missing_is_named(missing, ledger_url, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    for name, value in (("SURVEY", "demo"), ("DEPOT", str(tmp_path)), ("INBOX", str(tmp_path))):
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    monkeypatch.delenv(missing)
    assert command_line.main(["due"]) == 2
    assert capsys.readouterr().err.startswith(f"nightshift: {missing} is not set; eval ")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nonsense with a password", "NIGHTSHIFT_LEDGER is no address of a database"),
        ("postgresql://x@127.0.0.1:1/x", "the ledger does not answer: connection to server at"),
    ],
)
def test_a_ledger_that_cannot_be_reached_is_said_in_one_line_without_its_password(monkeypatch, capsys, address, why):
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", address)
    assert command_line.main(["due"]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert "password" not in said


def test_the_traceback_of_an_address_that_is_none_is_without_its_password(monkeypatch, capsys):
    monkeypatch.setenv("NIGHTSHIFT_TRACEBACK", "1")
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", "postgres//night:sesame@host/x")
    assert command_line.main(["due"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "sesame" not in said


def test_a_defect_is_said_without_a_traceback(command, capsys):
    command(failing(ZeroDivisionError("division by zero")))
    assert command_line.main([]) == 70
    said = capsys.readouterr().err
    assert "a defect" in said
    assert "Traceback" not in said


def test_the_traceback_of_a_defect_can_be_had(command, capsys, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_TRACEBACK", "1")
    command(failing(ZeroDivisionError("division by zero")))
    assert command_line.main([]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_quietly(command, capsys):
    command(failing(KeyboardInterrupt()))
    assert command_line.main([]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_command_that_returns_nothing_succeeded(command):
    command(lambda _: None)
    assert command_line.main([]) == 0


def test_every_package_that_has_commands_is_listed():
    root = command_line.Path(command_line.__file__).parent
    there = {path.parent.name for path in root.glob("*/commands.py")}
    assert there <= set(command_line.PACKAGES)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom nightshift.command_line import build_parser\nbuild_parser().format_help()\n"
        "heavy = {'astropy', 'numba', 'matplotlib', 'airflow', 'confluent_kafka', 'scipy'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
