"""A small night in a real ledger: three exposures of one quadrant pair with candidates and stamps."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from confluent_kafka.admin import AdminClient

from nightshift.alerts.ids import ZtfIds, readout_channel
from nightshift.alerts.tars import write_tar
from nightshift.context import Context
from nightshift.files import sha256_of
from nightshift.keys import ReferenceKey, UnitKey
from nightshift.loopback import listens
from rehearsal.stand_ins.mock_broker import mock_cluster
from rehearsal.stand_ins.single_node_kafka import missing

SQL = (Path(__file__).parent / "rows.sql").read_text().split(";\n")
NIGHT = date(2025, 3, 10)
BEGINS = datetime(2025, 3, 10, 19, tzinfo=UTC)
FIRST_SHUTTER = datetime(2025, 3, 11, 4, tzinfo=UTC)
FIELD = 102  # of the demo survey, across RA zero


def stamp(value: float) -> bytes:
    return zipped(np.full((63, 63), value, np.float32))


@cache
def noise(pixels: int) -> bytes:
    """Return a stamp that compression leaves as large as it is."""
    return zipped(np.random.default_rng(1).normal(size=(pixels, pixels)).astype(np.float32))


def zipped(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    fits.PrimaryHDU(image).writeto(stream)
    return gzip.compress(stream.getvalue(), mtime=0)


class KafkaNode:
    """`rehearsal.stand_ins.single_node_kafka` as a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.folder, self._address = folder, folder / "address"
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> "KafkaNode":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.end(signal.SIGTERM)

    @property
    def address(self) -> str:
        return self._address.read_text().strip()

    def start(self, within_s: float = 60.0) -> None:
        command = [sys.executable, "-m", "rehearsal.stand_ins.single_node_kafka"]
        self._process = subprocess.Popen(
            [*command, "--folder", str(self.folder / "node"), "--address-file", str(self._address)],
            stderr=(self.folder / "log").open("ab"),
        )
        deadline = time.monotonic() + within_s
        while not (self._address.exists() and listens(int(self.address.rpartition(":")[2]))):
            assert self._process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)

    def end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)

    def forget_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        topics = [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]
        for done in admin.delete_topics(topics).values() if topics else ():
            done.result(10)


class SmallNight:
    """Adds exposures, searched differences and candidates to a ledger, as the collector would."""

    noise_pixels = 0  # stamps are of noise and so wide

    def __init__(self, context: Context):
        self.context = context
        self._execute(0, begins=BEGINS, ends=BEGINS + timedelta(days=1), night=NIGHT)

    def _execute(self, statement: int, **values) -> None:
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(SQL[statement], values)

    def search(
        self, number: int, candidates, *, detector=1, quadrant=1, days=0.0, filter="g", stamps=True, state="processed"
    ):
        """Add one quadrant's searched difference. `candidates` are (ra, dec) or dicts of columns; returns its key."""
        exposure_id = f"{number:014d}"
        shutter = FIRST_SHUTTER + timedelta(days=days, seconds=60 * number)
        key = UnitKey("democam", exposure_id, detector, quadrant)
        reference = ReferenceKey(FIELD, "democam", detector, quadrant, filter)
        common = {
            "exposure_id": exposure_id, "night": NIGHT, "ut_day": shutter.date(), "filter": filter, "field": FIELD,
            "shutter_open": shutter, "detector": detector, "quadrant": quadrant, "unit_key": str(key),
            "reference_key": str(reference), "state": state,
            "corners": [0.2, -1.7, 359.8, -1.7, 359.8, -1.3, 0.2, -1.3],
        }  # fmt: skip
        for statement in range(1, 6):
            self._execute(statement, **common)
        rows = [self._candidate(common, i, entry) for i, entry in enumerate(candidates, start=1)]
        for row in rows:
            self._execute(6, **row)
        if stamps and rows:
            self._stamps(common, len(rows))
        return str(key)

    def _candidate(self, common, number, entry):
        given = entry if isinstance(entry, dict) else {"ra_deg": entry[0], "dec_deg": entry[1]}
        channel = readout_channel(self.context.survey.camera, common["detector"], common["quadrant"])
        pid = ZtfIds().processing_id(common["shutter_open"], channel)
        record = {"fwhm": 2.5, "elong": 1.1, "nbad": 0, "magdiff": 0.01, "ranr": 0.0, "decnr": 0.0, "rb": None}
        record |= given.pop("record", {})
        row = {
            **common, "number": number, "pid": pid, "candid": ZtfIds().candidate_id(pid, number, positive=True),
            "x": 10.0 * number, "y": 5.0 * number, "signal_to_noise": 12.5, "magnitude": 18.75, "error": 0.08,
            **given,
        }  # fmt: skip
        return {**row, "record": json.dumps(record)}

    def _stamps(self, common, count):
        path = self.context.depot.processed(NIGHT, UnitKey.parse(common["unit_key"])) / "cutouts.tar"
        members = [
            (f"{number}_{kind}.fits.gz", noise(self.noise_pixels) if self.noise_pixels else stamp(number + offset))
            for number in range(1, count + 1)
            for offset, kind in ((0, "science"), (100, "template"), (200, "difference"))
        ]
        write_tar(path, members)
        self._execute(7, **common, job_key="job")
        self._execute(
            8, **common, product_key=f"{common['unit_key']}/cutouts", path=self.context.depot.relative(path),
            sha256=sha256_of(path), bytes=path.stat().st_size, job_key="job",
        )  # fmt: skip


@pytest.fixture
def small_night(context):
    return SmallNight(context)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """A Kafka of one node, or a loud word that there is none."""
    if lack := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lack)
    with KafkaNode(tmp_path_factory.mktemp("kafka") / "jürgen's, a\\b") as node:
        yield node


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """The address of an embedded broker that the environment names."""
    with mock_cluster() as address:
        (tmp_path / "broker").write_text(f"{address}\nbroker one-start\n")
        monkeypatch.setenv("NIGHTSHIFT_BROKERS", f"file:{tmp_path / 'broker'}")
        yield address


@pytest.fixture(params=["embedded", "kafka"])
def brokers(request):
    """The address of a broker without topics: the embedded one, then Kafka itself."""
    if request.param == "embedded":
        with mock_cluster() as address:
            yield address
    else:
        node = request.getfixturevalue("kafka")
        node.forget_topics()
        yield node.address
