"""The alerts of a field are the same at any pace of the machine."""

import dataclasses
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from nightshift.alerts import release_order
from nightshift.alerts.release_order import release_all_in_order
from nightshift.depot import Depot
from nightshift.errors import NeedsOperator, Retry
from nightshift.fingerprint import compare, take_fingerprint
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries.alerts import FieldAwaitingRelease
from nightshift.vocabulary import Reason

pytestmark = pytest.mark.integration


def alerts(night):
    return {row["candid"]: (row["object_id"], row["packet_sha256"]) for row in night.rows("alerts")}


def exposures_with_alerts(night):
    return {row["unit_key"].split("/")[1] for row in night.rows("alerts")}


def until_a_reference_serves(night):
    night.calibrate()
    night.bring(*range(6))
    night.run_due("exposure")
    night.run_due("references")


def test_an_exposure_waits_for_those_before_it_in_its_field(night):
    until_a_reference_serves(night)
    night.bring(6)
    night.run_due("exposure", candidates=1)
    assert exposures_with_alerts(night) == set()
    night.run_due("difference", candidates=1)
    assert len(exposures_with_alerts(night)) == 7
    first = min(night.rows("alerts"), key=lambda row: row["shutter_open"])
    assert {row["first_candid"] for row in night.rows("objects")} == {first["candid"]}


def test_a_field_does_not_wait_for_another(night):
    until_a_reference_serves(night)
    night.run_due("difference", candidates=1)
    night.bring(6, 7, FIELDID=102, RA=0.02, DEC=-1.5)  # comes, and is not reduced
    night.bring(8)
    request = next(r for r in night.due("exposure") if r.conf["exposure_id"].endswith("0800"))
    night.run(request, candidates=1)
    assert len(exposures_with_alerts(night)) == 7


def test_what_failed_holds_nobody_up(night):
    until_a_reference_serves(night)
    night.run_due("difference")
    night.bring(6, 7)
    first, second = night.due("exposure")
    night.run(second, candidates=1)
    assert exposures_with_alerts(night) == set()
    night.run(first, fails=Reason.INTERNAL_ERROR)
    assert exposures_with_alerts(night) == {second.conf["exposure_id"]}


def test_the_wait_is_bounded_and_its_end_is_said(night):
    until_a_reference_serves(night)
    night.run_due("difference")
    night.bring(6, 7)
    first, second = night.due("exposure")
    night.run(second, candidates=1)
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute("update differences set ended_at = ended_at - interval '1 day' where released_at is null")
    assert release_all_in_order(night.context) == 4
    assert exposures_with_alerts(night) == {second.conf["exposure_id"]}
    (event,) = (row for row in night.rows("events") if row["kind"] == "released_out_of_order")
    assert first.conf["exposure_id"] in event["message"]


def test_a_field_whose_alerts_cannot_be_made_is_said_once_and_holds_up_no_other(night, monkeypatch):
    fields = [FieldAwaitingRelease("democam", field, "live") for field in (101, 102)]
    monkeypatch.setattr(alert_queries, "fields_awaiting_release", lambda ledger, instrument: fields)

    def release(context, instrument, field, campaign, *, at_once):
        if field == 101:
            raise error
        return 3

    monkeypatch.setattr(release_order, "release_in_order", release)
    error = NeedsOperator(Reason.INTERNAL_ERROR, "its packets do not encode")
    assert [release_all_in_order(night.context) for _ in range(2)] == [3, 3]
    (event,) = (row for row in night.rows("events") if row["kind"] == "alerts_not_released")
    assert "do not encode" in event["message"] and "101" in event["subject"]
    assert release_all_in_order(night.context, at_once=True) == 3
    error = Retry(Reason.STORAGE_UNAVAILABLE, "the disk is away")
    with pytest.raises(Retry):
        release_all_in_order(night.context, at_once=True)


@contextmanager
def another_night(night, postgres_server, folder) -> Iterator:
    """A second night of the same survey, with a ledger, a depot and a runner of its own."""
    name = f"test_{secrets.token_hex(6)}"
    postgres_server.create_database(name)
    migrate(postgres_server.url(name))
    depot, inbox = folder / "depot", folder / "inbox"
    inbox.mkdir(parents=True)
    for catalogue in (night.context.depot.root / "catalogues").iterdir():
        (depot / "catalogues").mkdir(parents=True, exist_ok=True)
        (depot / "catalogues" / catalogue.name).write_bytes(catalogue.read_bytes())
    with open_ledger(postgres_server.url(name)) as ledger:
        context = dataclasses.replace(night.context, ledger=ledger, depot=Depot(depot), inbox=inbox)
        yield type(night)(context, type(night.runner)(), same_bytes(type(night.frames)(inbox)), night.clock)


def same_bytes(frames):
    """Let frames be written without checksums: their comments hold the time of writing."""
    return lambda *arguments, **header: frames(*arguments, checksum=False, **header)


def quick(night):
    """Everything comes before anything is reduced; the newest frame is reduced first."""
    night.bring(*range(8))
    for request in reversed(night.due("exposure")):
        night.run(request, candidates=1)
    night.run_due("references")
    for request in reversed(night.due("difference")):
        night.run(request, candidates=1)


def slow(night):
    """Frame by frame, each with all that is due."""
    for number in range(8):
        night.bring(number)
        for workflow in ("exposure", "references", "difference"):
            night.run_due(workflow, candidates=1) if workflow != "references" else night.run_due(workflow)


def test_the_pace_of_the_machine_changes_nothing_of_the_outcome(night, postgres_server, tmp_path):
    with another_night(night, postgres_server, tmp_path / "quick") as one:
        one.calibrate()
        quick(one)
        first = take_fingerprint(one.context.ledger, one.context.depot.root)
    with another_night(night, postgres_server, tmp_path / "slow") as other:
        other.calibrate()
        slow(other)
        second = take_fingerprint(other.context.ledger, other.context.depot.root)
    assert len(first.classes["table alerts"]) == 32
    assert "\n".join(map(str, compare(first, second))) == ""


class Killed(BaseException):
    """The process that worked on a step is gone; its transaction and its connection go with it."""


def killed_now_and_then(monkeypatch, ledger, *, seed, one_in):
    """Let one in so many statements of a ledger be the last of its process."""
    source, run = random.Random(seed), type(ledger).run
    kills = []

    def deadly(self, topic, name, **parameters):
        if self is ledger and source.randrange(one_in) == 0:
            kills.append(name)
            self.connection.close()
            raise Killed(name)
        return run(self, topic, name, **parameters)

    monkeypatch.setattr(type(ledger), "run", deadly)
    return kills


def begun_again(step):
    """Make a step of a night be begun again until it ends, as Airflow does."""

    def again(*arguments, **options):
        while True:
            with suppress(Killed, Retry):  # the second: what the loss of a connection looks like on the way out
                return step(*arguments, **options)

    return again


def bring_until_it_is_in(night):
    """Let exposures come in, and take the inbox in until nothing is left there."""

    def bring(number):
        for detector in (1, 2):
            night.frames(number, detector)
        while paths := sorted(night.context.inbox.iterdir()):
            begun_again(ingest_all)(night.context, paths)

    return bring


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(2, 7))])
def test_steps_that_are_killed_anywhere_change_nothing_of_the_outcome(
    night, postgres_server, tmp_path, monkeypatch, seed
):
    with another_night(night, postgres_server, tmp_path / "undisturbed") as one:
        one.calibrate()
        slow(one)
        first = take_fingerprint(one.context.ledger, one.context.depot.root)
    with another_night(night, postgres_server, tmp_path / "killed") as other:
        other.calibrate()
        for step in ("start", "collect"):
            setattr(other, step, begun_again(getattr(other, step)))
        other.bring = bring_until_it_is_in(other)
        with monkeypatch.context() as dangerous:
            kills = killed_now_and_then(dangerous, other.context.ledger, seed=seed, one_in=25)
            slow(other)
            begun_again(release_all_in_order)(other.context)
        second = take_fingerprint(other.context.ledger, other.context.depot.root)
    assert len(kills) > 20
    assert "\n".join(map(str, compare(first, second))) == ""
