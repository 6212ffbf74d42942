"""What SLURM's commands are given: arguments and an environment that hold what was declared and nothing else."""

import json
import sys
from pathlib import Path

import pytest

from nightshift.errors import Retry
from nightshift.runners.slurm.cli import CliTransport, sbatch_arguments
from nightshift.runners.slurm.transport import Ambiguous, Order

NASTY = "$(touch /tmp/x); `id` | * 'a' \"b\" %j --partition=other"


@pytest.fixture
def order(tmp_path):
    return Order("key", ("python", NASTY), 3, 499.5, 61, 2, 40, tmp_path / "100%", {"A": NASTY})


@pytest.fixture
def site(tmp_path):
    """A folder with a program in place of each of SLURM's, off the usual path."""
    folder = tmp_path / "opt" / "slurm" / "bin"
    folder.mkdir(parents=True)

    def install(name: str, body: str) -> Path:
        program = folder / name
        program.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
        program.chmod(0o755)
        return folder

    return install


def test_what_varies_is_one_argument_each_and_never_an_option(order):
    arguments = sbatch_arguments(order)
    script = next(i for i, argument in enumerate(arguments) if argument.endswith("task.sh"))
    assert arguments[script + 1 :] == ["61", "0", "python", NASTY]
    assert all(argument.startswith("--") for argument in arguments[1:script])
    assert {
        "--no-requeue",
        "--open-mode=append",
        "--kill-on-invalid-dep=yes",
        "--job-name=key",
        "--comment=key",
    } <= set(arguments)
    assert next(a for a in arguments if a.startswith("--output=")).endswith("100%%/%a.log")


def test_a_job_sees_what_was_declared_and_nothing_of_who_submits(order, site, tmp_path):
    seen = tmp_path / "seen.json"
    folder = site("sbatch", f"json.dump([sys.argv, dict(os.environ)], open({str(seen)!r}, 'w')); print('17;cluster')")
    ours = {
        "PATH": str(folder), "SBATCH_PARTITION": "other", "SLURM_JOB_ID": "3", "SECRET": "x", "PYTHONPATH": "/x",
        "SLURM_CONF": str(seen.parent / "slurm.conf"),
    }  # fmt: skip
    (tmp_path / "slurm.conf").touch()
    assert CliTransport(ours).submit(order) == 17
    _, environment = json.loads(seen.read_text())
    assert environment["A"] == NASTY
    assert environment["SLURM_CONF"] == ours["SLURM_CONF"]
    assert not {"SBATCH_PARTITION", "SLURM_JOB_ID", "SECRET", "PYTHONPATH"} & set(environment)


@pytest.mark.parametrize(
    "body", ["sys.exit('Socket timed out on send/recv operation')", "print('no number')", "time.sleep(30)"]
)
def test_an_answer_that_is_no_answer_leaves_open_whether_the_job_is_there(order, site, body):
    with pytest.raises(Ambiguous):
        CliTransport({"PATH": str(site("sbatch", body))}, timeout_s=3).submit(order)


def test_a_submit_that_slurm_holds_up_names_the_limit(order, site):
    says = "print('sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying', file=sys.stderr)"
    transport = CliTransport(
        {"PATH": str(site("sbatch", f"{says}; sys.stderr.flush(); time.sleep(30)"))}, timeout_s=3
    )
    with pytest.raises(Ambiguous, match="MaxJobCount"):
        transport.submit(order)


def test_a_question_that_fails_is_no_empty_answer(site):
    transport = CliTransport({"PATH": str(site("squeue", "sys.exit('Unable to contact slurm controller')"))})
    with pytest.raises(Retry):
        transport.queue()
