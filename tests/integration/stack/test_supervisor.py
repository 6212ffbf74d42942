"""Parts under the supervisor: they come back when they die, and all of them end."""

import os
import signal
import sys
import time

import psutil
import pytest

from nightshift.errors import NeedsOperator
from nightshift.stack.home import Home, Kind
from nightshift.stack.supervisor import Part, Supervisor

pytestmark = pytest.mark.integration

SLEEP = "[sys.executable, '-c', 'import time; time.sleep(600)']"
CHILD = f"import subprocess, sys, time\nsubprocess.Popen({SLEEP})\ntime.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
ORPHAN = f"import subprocess, sys, time\nsubprocess.Popen({SLEEP}, start_new_session=True)\ntime.sleep(600)"


@pytest.fixture
def part(tmp_path):
    def make(name, code):
        script = tmp_path / f"{name}.py"
        script.write_text(code)
        return Part(name, (sys.executable, str(script)), 1, stop_wait_s=2)

    return make


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture
def supervisor(tmp_path):
    home = Home(tmp_path / "home")
    home.make(Kind.REPLAY)
    supervisor = Supervisor(home)
    yield supervisor
    supervisor.stop()


def start(supervisor, *parts):
    supervisor.start(parts, dict(os.environ))
    for one in parts:
        supervisor.start_part(one.name)
    until(lambda: all(state == "RUNNING" for state, _, _ in supervisor.states().values()))


def test_a_full_disk_ends_neither_the_supervisor_nor_what_it_does(supervisor, part):
    start(supervisor, part("one", "import time\nwhile True: print('still here', flush=True); time.sleep(0.05)"))
    process, log = psutil.Process(supervisor.pid()), supervisor.home.logs / "one.log"
    _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
    until(lambda: log.stat().st_size)
    process.rlimit(psutil.RLIMIT_FSIZE, (1, hard))  # no file of its takes another byte, as on a full disk
    until(lambda: (size := log.stat().st_size) is not None and (time.sleep(1) or log.stat().st_size == size))
    os.kill(pid := supervisor.states()["one"][1], signal.SIGKILL)
    until(lambda: supervisor.states()["one"][0] == "RUNNING" and supervisor.states()["one"][1] != pid)
    process.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))
    size = log.stat().st_size
    until(lambda: log.stat().st_size > size)
    supervisor.check()


def test_a_supervisor_that_is_gone_is_said(supervisor, part):
    start(supervisor, part("one", "import time; time.sleep(600)"))
    os.kill(supervisor.pid(), signal.SIGKILL)
    with pytest.raises(NeedsOperator, match="goes on where it was"):
        until(supervisor.check)


def test_a_part_that_dies_comes_back(supervisor, part):
    start(supervisor, part("one", "import time; time.sleep(600)"))
    pid = supervisor.states()["one"][1]
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.states()["one"][0] == "RUNNING" and supervisor.states()["one"][1] != pid)


@pytest.mark.parametrize("code", [CHILD, STUBBORN, ORPHAN], ids=["with a child", "stubborn", "with an orphan to be"])
def test_stopping_leaves_nothing(supervisor, part, code):
    start(supervisor, part("one", code))
    if code != STUBBORN:
        until(lambda: len(supervisor.processes()) == 3)
    processes = supervisor.processes()
    supervisor.stop()
    assert [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert supervisor.left() == []
    assert not supervisor.home.supervisor_socket.exists()


def test_what_a_killed_supervisor_left_is_found_and_ended(supervisor, part):
    start(supervisor, part("one", "import time; time.sleep(600)"))
    worker = psutil.Process(supervisor.states()["one"][1])
    os.kill(supervisor.pid(), signal.SIGKILL)
    until(lambda: supervisor.pid() is None)
    assert [p.pid for p in supervisor.left()] == [worker.pid]
    supervisor.stop()
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_stopping_what_does_not_run_is_no_error(supervisor):
    supervisor.stop()
    assert supervisor.pid() is None


def test_what_a_killed_part_left_is_ended_before_it_comes_back(supervisor, part):
    start(supervisor, part("one", CHILD))
    until(lambda: len(supervisor.processes()) == 3)
    top, one, child = supervisor.processes()
    os.kill(supervisor.states()["one"][1], signal.SIGKILL)
    until(lambda: len(supervisor.processes()) == 3 and one not in supervisor.processes())
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert top.is_running()
