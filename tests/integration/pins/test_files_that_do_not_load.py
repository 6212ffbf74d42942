"""A network whose files break in the middle of a night: who has settings goes on, who has none waits."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from astropy.io import fits

from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import open_ledger
from nightshift.pins import deployment_now
from nightshift.settings import load_deployment
from nightshift.settings.loader import config_folder
from nightshift.vocabulary import Disposition
from rehearsal.simulator.manifest import manifest_of

EVENING = datetime(2025, 11, 21, 1, tzinfo=UTC)  # dark at both sites


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A copy of the shipped network whose files a test may break."""
    shipped = config_folder() / "network"
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path / "config"))
    shutil.copytree(shipped, tmp_path / "config" / "network")
    return tmp_path / "config" / "network"


@pytest.fixture
def context(ledger_url, tmp_path, clock, network):
    clock.moment = EVENING
    for name in ("depot", "inbox"):
        (tmp_path / name).mkdir()
    with open_ledger(ledger_url) as ledger:
        yield Context(load_deployment("network"), ledger, Depot(tmp_path / "depot"), tmp_path / "inbox", clock)


def sent(context, instrument, name, minute):
    """Put a bias of a camera into the inbox."""
    image = np.full((384, 416), 1000, np.uint16)
    single = instrument == "north_single"
    units = [fits.PrimaryHDU(image)] if single else [fits.PrimaryHDU(), *(fits.ImageHDU(image) for _ in "12")]
    shutter = EVENING + timedelta(minutes=minute)
    units[0].header.update({
        "INSTRUME": instrument.upper(), "DETECTOR": 1, "IMAGETYP": "bias", "EXPTIME": 0.0,
        "DATE-OBS": shutter.strftime("%Y-%m-%dT%H:%M:%S.000"),
    })  # fmt: skip
    path = context.inbox / name.format(f"{shutter:%Y%m%d%H%M%S}")
    fits.HDUList(units).writeto(path, checksum=True)
    return path


def now_read(context):
    """Return the context as a process that starts now has it."""
    deployment = deployment_now(context.ledger, "network", context.clock.now())
    return Context(deployment, context.ledger, context.depot, context.inbox, context.clock)


def break_settings(network):
    file = network / "policy.toml"
    whole = file.read_text()
    file.write_text(whole + "\nbroken = \n")
    return whole


def test_files_that_do_not_load_stop_no_camera_that_has_settings_and_the_others_files_wait(context, network):
    (first,) = ingest_all(context, [sent(context, "north_wide", "wn_{}_d01.fits", 0)])
    assert first.disposition is Disposition.REGISTERED, first.detail
    whole = break_settings(network)
    broken = now_read(context)
    assert broken.deployment.instruments == ("north_wide",)
    assert broken.deployment.without_settings == ("north_single", "south_wide")
    assert broken.deployment.has_several_sites  # mails and homes keep their names

    (second,) = ingest_all(broken, [sent(context, "north_wide", "wn_{}_d01.fits", 1)])
    assert second.disposition is Disposition.REGISTERED, second.detail
    waiting = [
        sent(context, "north_single", "single_{}.fits", 2),  # its name fits no camera that has settings
        sent(context, "south_wide", "ws_{}_d01.fits", 3),  # its name fits another camera's pattern
        context.inbox / "manifest_south_20251120.json",
    ]
    waiting[-1].write_text(json.dumps(manifest_of("south", date(2025, 11, 20), [], synthetic=False)))
    for _ in range(2):
        assert ingest_all(broken, waiting) == []
    assert all(path.exists() for path in waiting)

    (network / "policy.toml").write_text(whole)
    mended = ingest_all(now_read(context), waiting)
    assert [(arrival.disposition, arrival.detail) for arrival in mended] == [(Disposition.REGISTERED, "")] * 3
    assert [arrival.frame.instrument for arrival in mended if arrival.frame] == ["north_single", "south_wide"]


def test_a_file_that_waits_for_settings_is_said_once_with_what_to_do(context, network, said):
    ingest_all(context, [sent(context, "north_wide", "wn_{}_d01.fits", 0)])
    break_settings(network)
    path = sent(context, "south_wide", "ws_{}_d01.fits", 3)
    for _ in range(2):
        ingest_all(now_read(context), [path])
    ((level, message),) = said(context, "file_waits_for_settings", path.name)
    assert level == "page"
    assert "south_wide" in message and "config/network does not load" in message and "policy.toml" in message


@pytest.fixture
def said():
    """Read the events of a kind about something: level and message of each."""

    def read(context, kind, subject):
        with context.ledger.connection.cursor() as cursor:
            cursor.execute("select level, message from events where kind = %s and subject = %s", (kind, subject))
            return [tuple(row.values()) if hasattr(row, "values") else tuple(row) for row in cursor.fetchall()]

    return read
