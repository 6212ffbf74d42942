"""The ledger lost, in the middle of a night and after it: restored, reconciled, and everything ends the same."""

import shutil
import tarfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import psycopg2
import pytest
from fault_night import FaultNight, InProcessRunner, without_waiting

from nightshift.alerts.post import post
from nightshift.alerts.release_order import release_all_in_order
from nightshift.backup.dumping import take_backup
from nightshift.backup.ledger_restore import restore
from nightshift.backup.reconciling import reconcile
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.fingerprint import Fingerprint, compare, take_fingerprint
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.stamp import stamp
from nightshift.settings import Deployment, load_survey
from nightshift.vocabulary import NightState
from rehearsal.simulator import NightScale, simulate_night
from rehearsal.simulator.faults import read_requests
from rehearsal.simulator.simulate import SimulatedNight
from rehearsal.stand_ins.mock_broker import mock_cluster

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(2400)]

NIGHTS = (date(2025, 11, 20), date(2025, 11, 21))
SCALES = (
    NightScale(fields=1, filters=1, detectors=(1,), visits=12, biases=5, darks=5, flats=5, shape=(256, 272)),
    NightScale(fields=1, filters=1, detectors=(1,), visits=2, biases=5, darks=5, flats=5, shape=(256, 272)),
)
FAULTS = ("flipped_bit", "conflict", "duplicate", "pipe", "unlisted", "wrong_sidecar")
AT_BACKUP, AT_LOSS = 6, 2  # exposures that are still to come


@dataclass
class ClockOfNights:
    """Stands at the noon that ends a night."""

    night: date

    def now(self) -> datetime:
        """Return the moment."""
        return datetime.combine(self.night + timedelta(days=1), time(19), UTC)


@dataclass
class Survey:
    """The nights of one survey, with a ledger and folders of its own."""

    url: str
    folder: Path
    nights: tuple[SimulatedNight, ...]
    brokers: str

    def __post_init__(self) -> None:
        (self.folder / "inbox").mkdir(parents=True)
        shutil.copytree(self.nights[0].catalogues, self.folder / "depot" / "catalogues")
        migrate(self.url)

    def night(self, ledger, number: int) -> FaultNight:
        """Return one of its nights, to be played."""
        made = self.nights[number]
        context = Context(
            Deployment.of(without_waiting(made.survey)), ledger, Depot(self.folder / "depot"),
            self.folder / "inbox", ClockOfNights(made.night),
        )  # fmt: skip
        stamp(ledger, "demo", ("demo",))
        return FaultNight(made, context, InProcessRunner(), self.brokers)

    def lose_ledger(self) -> None:
        """Drop everything that the ledger holds."""
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("drop schema public cascade")
            cursor.execute("create schema public")

    @property
    def packets(self) -> dict[str, bytes]:
        """Every packet in the depot by its name; one that has two contents fails."""
        found: dict[str, bytes] = {}
        for path in sorted((self.folder / "depot" / "alerts").rglob("*.tar")):
            with tarfile.open(path) as tar:
                for member in tar:
                    content = tar.extractfile(member).read()
                    assert found.setdefault(member.name, content) == content, f"{member.name} has two contents"
        return found


def work(night: FaultNight) -> None:
    night.work()
    release_all_in_order(night.context)
    post(night.context, brokers=night.brokers)


def bring(night: FaultNight, first: int, last: int) -> None:
    night.bring(night.made.files[first:last])
    work(night)


def end(night: FaultNight) -> Fingerprint:
    night.bring([night.made.manifest])
    night.begin()
    night.bring(night.made.after_manifest)
    assert night.end() is NightState.CLOSED, night.report.text
    return take_fingerprint(night.context.ledger, night.context.depot.root)


def differences(wanted: Fingerprint, found: Fingerprint) -> list[str]:
    """Return where two fingerprints differ, beside the names of archived quarantine files, which hold inodes."""
    assert len(quarantined(wanted)) == len(quarantined(found))
    mine = {*quarantined(wanted), *quarantined(found)}
    return [str(difference) for difference in compare(wanted, found) if difference.key not in mine]


def quarantined(fingerprint: Fingerprint) -> list[str]:
    return [path for path in fingerprint.classes["table archive_files"] if "/quarantine/" in path]


def cuts(made: SimulatedNight) -> tuple[int, int, int]:
    """Return how many files have come when the backup is taken, when the ledger is lost, and at the end."""
    return len(made.files) - AT_BACKUP, len(made.files) - AT_LOSS, len(made.files)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[SimulatedNight, ...]:
    return tuple(
        simulate_night(
            load_survey("demo"),
            tmp_path_factory.mktemp("made"),
            seed=3,
            night=night,
            scale=scale,
            processes=2,
            faults=read_requests(FAULTS if night == NIGHTS[0] else ()),
        )
        for night, scale in zip(NIGHTS, SCALES, strict=True)
    )


@pytest.fixture(scope="module")
def brokers():
    with mock_cluster() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def undisturbed(made, brokers, postgres_server, tmp_path_factory) -> tuple[list[Fingerprint], dict[str, bytes]]:
    """What the nights leave of which nothing was lost, and their packets."""
    postgres_server.create_database("undisturbed")
    survey = Survey(postgres_server.url("undisturbed"), tmp_path_factory.mktemp("undisturbed"), made, brokers)
    with open_ledger(survey.url) as ledger:
        first = survey.night(ledger, 0)
        at_backup, at_loss, whole = cuts(made[0])
        bring(first, 0, at_backup)
        bring(first, at_backup, at_loss)
        bring(first, at_loss, whole)
        left = [end(first)]
        second = survey.night(ledger, 1)
        bring(second, 0, len(made[1].files))
        left.append(end(second))
    return left, survey.packets


def test_a_ledger_lost_in_the_night_and_again_after_it_ends_as_if_nothing_had_happened(
    made, brokers, undisturbed, postgres_server, tmp_path
):
    (wanted_first, wanted_second), wanted_packets = undisturbed
    postgres_server.create_database("lost")
    survey = Survey(postgres_server.url("lost"), tmp_path, made, brokers)
    deployment = Deployment.of(made[0].survey)
    at_backup, at_loss, whole = cuts(made[0])

    with open_ledger(survey.url) as ledger:
        first = survey.night(ledger, 0)
        bring(first, 0, at_backup)
        backup = take_backup(first.context).backup
        sent_before = set(survey.packets)
        bring(first, at_backup, at_loss)
        published = survey.packets
    assert set(published) > sent_before, "alerts must have been sent after the backup"
    survey.lose_ledger()
    restore(survey.url, backup, deployment)

    with open_ledger(survey.url) as ledger:
        first = survey.night(ledger, 0)
        counted = reconcile(first.context, dry_run=True)
        done = reconcile(first.context)
        assert (done.frames, done.packets, done.left) == (counted.frames, counted.packets, [])
        assert done.frames and done.packets and done.set_aside and done.attempts
        again = reconcile(first.context)
        assert (again.frames, again.manifests, again.set_aside, again.attempts, again.left) == (0, 0, 0, 0, [])
        work(first)
        bring(first, at_loss, whole)
        found = end(first)
        assert published.items() <= survey.packets.items()
        assert survey.packets.items() <= wanted_packets.items()
        assert differences(wanted_first, found) == []
        backup = take_backup(first.context).backup

    survey.lose_ledger()
    restore(survey.url, backup, deployment)
    with open_ledger(survey.url) as ledger:
        second = survey.night(ledger, 1)
        assert reconcile(second.context).left == []
        bring(second, 0, len(made[1].files))
        found = end(second)
    assert differences(wanted_second, found) == []
    assert survey.packets == wanted_packets
