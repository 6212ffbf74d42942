"""The ledger lost in the middle of a night: restored from its backup, reconciled, and the night closes the same."""

import secrets
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from fault_night import FaultNight, InProcessRunner, NoonClock, without_waiting

from nightshift.backup.dumping import take_backup
from nightshift.backup.reconciling import reconcile
from nightshift.backup.restoring import restore
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.fingerprint import compare, take_fingerprint
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.stamp import stamp
from nightshift.settings import Deployment, load_survey
from nightshift.vocabulary import NightState
from rehearsal.simulator import NightScale, simulate_night
from rehearsal.simulator.faults import read_requests
from rehearsal.stand_ins.mock_broker import mock_cluster

pytestmark = [pytest.mark.integration, pytest.mark.faults]

SCALE = NightScale(fields=1, filters=1, visits=12, biases=5, darks=5, flats=5, shape=(256, 272))
FAULTS = ("flipped_bit", "conflict", "duplicate", "pipe", "unlisted", "wrong_sidecar")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    survey = load_survey("demo")
    return simulate_night(
        survey, tmp_path_factory.mktemp("made"), seed=3, scale=SCALE, faults=read_requests(FAULTS), processes=2
    )


@pytest.fixture
def databases(postgres_server):
    names = []

    def make() -> str:
        name = f"lost_{secrets.token_hex(6)}"
        postgres_server.create_database(name)
        names.append(name)
        return name

    yield make
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"drop database if exists {name} with (force)")


@dataclass
class Place:
    """One night's database and folders."""

    url: str
    folder: Path
    made: object
    brokers: str

    def open(self, ledger) -> FaultNight:
        depot, inbox = self.folder / "depot", self.folder / "inbox"
        if not depot.exists():
            inbox.mkdir()
            shutil.copytree(self.made.catalogues, depot / "catalogues")
        context = Context(Deployment.of(without_waiting(self.made.survey)), ledger, Depot(depot), inbox, NoonClock())
        stamp(ledger, "demo", ("demo",))
        return FaultNight(self.made, context, InProcessRunner(), self.brokers)


def packets(depot: Path) -> dict[str, bytes]:
    import tarfile

    found = {}
    for path in sorted((depot / "alerts").rglob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member).read()
                assert found.setdefault(member.name, content) == content, f"{member.name} has two contents"
    return found


def test_a_ledger_lost_an_hour_after_its_backup_closes_the_night_the_same(made, databases, postgres_server, tmp_path):
    third, half = len(made.files) - 20, len(made.files) - 6  # of two detectors: ten exposures from the end, and three
    with mock_cluster() as brokers:
        undisturbed = Place(postgres_server.url(databases()), tmp_path / "undisturbed", made, brokers)
        undisturbed.folder.mkdir()
        migrate(undisturbed.url)
        with open_ledger(undisturbed.url) as ledger:
            night = undisturbed.open(ledger)
            night.bring(made.files[:half])
            night.work()
            night.bring(made.files[half:])
            night.work()
            night.bring([made.manifest])
            night.begin()
            assert night.end() is NightState.CLOSED
            wanted = take_fingerprint(ledger, night.context.depot.root)

        lost = Place(postgres_server.url(databases()), tmp_path / "lost", made, brokers)
        lost.folder.mkdir()
        migrate(lost.url)
        with open_ledger(lost.url) as ledger:
            night = lost.open(ledger)
            night.bring(made.files[:third])
            night.work()
            taken = take_backup(night.context)
            night.bring(made.files[third:half])
            night.work()
            from nightshift.alerts.post import post

            post(night.context, brokers=brokers)
            before = packets(night.context.depot.root)
            assert before, "the loss must come after some alerts"
        with closing(psycopg2.connect(lost.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("drop schema public cascade")
            cursor.execute("create schema public")
        deployment = Deployment.of(made.survey)
        restore(lost.url, taken.backup, deployment)
        with open_ledger(lost.url) as ledger:
            night = lost.open(ledger)
            done = reconcile(night.context)
            print(done, done.left)
            assert done.frames and done.packets and not done.left
            night.work()
            night.bring(made.files[half:])
            night.work()
            night.bring([made.manifest])
            night.begin()
            assert night.end() is NightState.CLOSED
            after = packets(night.context.depot.root)
            assert before.items() <= after.items()
            found = take_fingerprint(ledger, night.context.depot.root)
    assert [str(d) for d in compare(wanted, found)] == []
