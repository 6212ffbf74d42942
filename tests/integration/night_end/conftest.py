"""A night that grows by calls, and a real mail sink."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from night_rows import NIGHT, Night

from nightshift.archive.night_archive import archive, verify
from nightshift.night_end.accounts import account
from nightshift.night_end.mail import MailServer


@pytest.fixture
def night(context):
    return Night(context)


QUALITY = {
    "fwhm_px": 2.3, "elongation": 1.1, "background": 210.0, "zero_point": 24.7, "zero_point_rms": 0.02,
    "limiting_magnitude": 20.6, "astrometry_rms_arcsec": 0.07, "good": True, "stars_matched": 412,
    "read_noise_ratio": 1.02, "pattern_noise": 0.034, "zero_point_zenith": 23.21, "colour_term": -0.041,
    "saturated_fraction": 0.00012, "trails": 1,
    "warnings": ["pattern_noise 0.034 outside 0..0.03", "fwhm_px 2.3 outside 1..2"],
}  # fmt: skip


@pytest.fixture
def filled(context, night):
    night.science(1)
    night.science(2, filter="r")
    night.frame(3, 1)
    night.unit(3, 1, 1, quality=QUALITY)
    night.unit(3, 1, 2, state="rejected", reason="seeing_too_poor", quality={**QUALITY, "good": False})
    reference = night.reference()
    first = night.alerts(1, [(150.10, 22.20), (150.12, 22.21)], reference)
    night.tracklet(1, [first[0], *night.alerts(3, [(150.101, 22.201)], reference, seed=1)])
    night.manifest()
    account(context, NIGHT)
    archive(context, NIGHT)
    verify(context, NIGHT)
    return night


@contextmanager
def running_sink(folder, *options):
    """Run a real sink in a process of its own, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "rehearsal.stand_ins.mail_sink", "--port", str(port), "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, *options],
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None and time.monotonic() < deadline, "the mail sink did not start"
        time.sleep(0.05)
    yield port
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def sink(tmp_path):
    """A sink that takes mails from everybody; gives its server and the folder of its mails."""
    folder = tmp_path / "mail"
    with running_sink(folder) as port:
        yield MailServer("127.0.0.1", port), folder


@pytest.fixture
def guarded_sink(tmp_path):
    """A sink that wants a password; gives its server, with the password, and the folder of its mails."""
    folder, password = tmp_path / "guarded", tmp_path / "password"
    password.write_text("open sesame\n")
    with running_sink(folder, "--password-file", str(password)) as port:
        yield MailServer("127.0.0.1", port, "nightshift", "open sesame"), folder
