"""The accounting is away, or answers wrongly: no verdict is taken that is not true."""

import contextlib
import signal
import time
from collections.abc import Iterator

import pytest
from cluster_faults import DisturbedSite, go
from runner_site import all_ended, begun, states_of, wait_for

from nightshift.errors import Retry
from nightshift.runners.slurm.verdict import Grace
from nightshift.vocabulary import JobState, Reason
from rehearsal.cluster import Cluster, ClusterPlan

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def patience_with_the_accounting(site):
    """After an outage the controller takes up to half a minute to tell the accounting what it missed."""
    site.runner.grace = Grace()


@contextlib.contextmanager
def controller_that_forgets(cluster, seconds):
    """Let the controller forget ended jobs soon, so that only the accounting knows how they ended."""
    text = cluster.conf.read_text()
    cluster.conf.write_text(text.replace(f"MinJobAge={cluster.plan.remember_s}", f"MinJobAge={seconds}"))
    try:
        assert cluster.run("scontrol", "reconfigure").returncode == 0
        yield
    finally:
        cluster.conf.write_text(text)
        cluster.run("scontrol", "reconfigure")


def forgotten(site, request):
    """Return when the controller does not know an array any more."""
    deadline = time.monotonic() + 60
    while any(row.key == request.name for row in site.transport.queue()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_while_the_accounting_is_away_a_success_is_known_and_a_failure_has_no_cause_yet(site, array):
    request = array("no_accounts", {"until": "go"}, {"until": "go", "die": True})
    site.runner.submit(request)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * 2)
    with site.away("slurmdbd", signal.SIGKILL):
        go(request)
        wait_for(site, request.name, lambda r: states_of(r) == [JobState.DONE, JobState.UNKNOWN])
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE, JobState.NODE_FAILED]


@pytest.mark.faults
def test_what_the_accounting_says_after_an_outage_is_believed_only_when_it_is_true(site, array):
    request = array("after_outage", {"until": "go"}, {"until": "go", "die": True}, {"until": "go", "code": 3})
    wanted = [JobState.DONE, JobState.NODE_FAILED, JobState.FAILED]
    with controller_that_forgets(site.cluster, 2):
        site.runner.submit(request)
        wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * 3)
        with site.away("slurmdbd", signal.SIGKILL):
            go(request)
            forgotten(site, request)
            assert states_of(site.runner.states()[request.name]) == [JobState.UNKNOWN] * 3
        seen, deadline = [], time.monotonic() + 60
        while time.monotonic() < deadline and (not seen or seen[-1] != wanted):
            with contextlib.suppress(Retry):
                seen.append(states_of(site.runner.states()[request.name]))
            time.sleep(0.1)
        assert seen[-1] == wanted
        for states in seen:  # on the way there nothing but "not known" and the truth
            assert all(state in (JobState.UNKNOWN, want) for state, want in zip(states, wanted, strict=True)), states
    assert [len(begun(request, i)) for i in range(3)] == [1, 1, 1]


@pytest.mark.faults
def test_what_the_controller_has_forgotten_is_known_by_the_accounting(site, array):
    request = array("forgotten", {}, {"code": 3}, {"allocate_mb": 600}, memory_mb=300)
    with controller_that_forgets(site.cluster, 2):
        site.runner.submit(request)
        time.sleep(8)
        forgotten(site, request)
        wanted = [JobState.DONE, JobState.FAILED, JobState.OUT_OF_MEMORY]
        assert states_of(wait_for(site, request.name, all_ended)) == wanted


@pytest.fixture
def bare_site(tmp_path, slurm_cluster) -> Iterator[DisturbedSite]:
    """A runner on a cluster without accounting; `slurm_cluster` says whether there can be one here."""
    cluster = Cluster(tmp_path / "bare", ClusterPlan(accounting=False), tied=True)
    try:
        cluster.up()
        made = DisturbedSite(tmp_path, cluster)
        made.runner.grace = Grace(cause_s=3)
        yield made
    finally:
        cluster.down()


def test_without_accounting_the_controller_tells_who_could_not_write(bare_site, array):
    request = array("full_disk", {"storage_until": "never"}, {"code": 3}, {"die": True}, {})
    bare_site.runner.submit(request)
    full, failed, killed, done = wait_for(bare_site, request.name, all_ended)
    assert (full.state, full.reason) == (JobState.FAILED, Reason.STORAGE_UNAVAILABLE)
    assert (failed.state, failed.reason, failed.detail) == (JobState.FAILED, None, "exit code 3")
    assert (killed.state, killed.reason, done.state) == (JobState.FAILED, None, JobState.DONE)
