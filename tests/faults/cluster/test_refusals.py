"""What can be wrong with an array or its cluster: a clear error that says what to do, and never a hang."""

import os
from dataclasses import replace

import pytest
from runner_site import all_ended, wait_for

from nightshift.errors import NeedsOperator
from nightshift.runners.slurm import SlurmRunner
from nightshift.runners.slurm.cli import CliTransport
from nightshift.vocabulary import JobState, Reason

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("options", "more", "says"),
    [
        ({"partition": "no_such"}, {}, "`partition`"),
        ({"account": "somebody_else"}, {}, "`account`"),
        ({}, {"memory_mb": 9e6}, "`memory_mb`"),
        ({}, {"cores": 999}, "`cores`"),
        ({"partition": "night; touch /tmp/x"}, {}, "`partition`"),
    ],
)
def test_what_the_site_does_not_have_is_refused_with_what_to_change(site, array, options, more, says):
    request = array(f"refused {options} {more}", {}, options=options, **more)
    with pytest.raises(NeedsOperator, match=says):
        site.runner.submit(request)
    assert request.name not in site.runner.states(frozenset({request.name}))


def test_after_the_settings_were_mended_the_same_array_is_taken(site, array):
    with pytest.raises(NeedsOperator):
        site.runner.submit(array("mended", {}, memory_mb=9e6))
    assert site.runner.submit(array("mended", {})).isdigit()


def test_a_variable_that_slurm_would_read_is_refused(site, array):
    with pytest.raises(NeedsOperator, match="SBATCH_PARTITION"):
        site.runner.submit(array("sly", {}, environment={"SBATCH_PARTITION": "closed"}))


def test_without_slurms_programs_the_error_names_the_package(site, array, tmp_path, monkeypatch):
    monkeypatch.setattr("nightshift.runners.slurm.cli.PATH", str(tmp_path))
    runner = SlurmRunner(tmp_path / "spool", CliTransport({"PATH": str(tmp_path)}))
    with pytest.raises(NeedsOperator, match="slurm-client"):
        runner.submit(array("no_program", {}))


def test_without_the_shared_folder_the_error_names_it(site, array, tmp_path):
    (tmp_path / "not_mounted").touch()
    site.runner.notes.root = tmp_path / "not_mounted" / "spool"
    with pytest.raises(NeedsOperator, match="not_mounted") as caught:
        site.runner.submit(array("nowhere", {}))
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


def test_without_the_clusters_configuration_the_error_names_it(array, tmp_path):
    transport = CliTransport({**os.environ, "SLURM_CONF": str(tmp_path / "slurm.conf")})
    runner = SlurmRunner(tmp_path / "spool", transport)
    with pytest.raises(NeedsOperator, match=r"slurm\.conf"):
        runner.submit(array("no_cluster", {}))


def test_a_task_that_could_not_write_is_told_from_one_that_failed(site, array):
    request = array("full_disk", {"storage_until": "never"}, {"code": 3})
    site.runner.submit(request)
    full, failed = wait_for(site, request.name, all_ended)
    assert (full.state, full.reason) == (JobState.FAILED, Reason.STORAGE_UNAVAILABLE)
    assert (failed.state, failed.reason) == (JobState.FAILED, None)
    assert site.another_runner().runner.states(frozenset({request.name}))[request.name] == [full, failed]


def test_a_node_that_cannot_open_the_shared_folder_loses_the_task_and_says_so(site, array):
    request = array("no_disk", {})
    order = site.runner._order
    site.runner._order = lambda *a: replace(order(*a), folder=site.folder / "not there")
    site.runner.submit(request)
    (report,) = wait_for(site, request.name, all_ended)
    assert report.state is JobState.NODE_FAILED
    assert "shared" in report.detail
