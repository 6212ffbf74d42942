"""What the tasks do, with a real ledger and inbox and without Airflow."""

import re
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from nightshift.errors import Retry
from nightshift.night_end.close import begin_closing
from nightshift.nights import night_bounds
from nightshift.runners.local import LocalRunner
from nightshift.vocabulary import Reason
from operators import airflow_api, steps

NIGHT = date(2026, 1, 15)
TEXT = "demo/2026-01-15"


class Airflow:
    """Takes runs and remembers them; may be away."""

    def __init__(self):
        self.runs: dict[str, str] = {}
        self.notes: dict[tuple[str, str], str] = {}
        self.away = False

    def create_run(self, dag_id, run_id, conf):
        if self.away:
            raise Retry(Reason.INTERNAL_ERROR, "away")
        new = run_id not in self.runs
        self.runs.setdefault(run_id, dag_id)
        return new

    def put_note(self, dag_id, run_id, text):
        if self.away:
            raise Retry(Reason.INTERNAL_ERROR, "away")
        self.notes[dag_id, run_id] = text

    def run_state(self, dag_id, run_id):
        if self.away:
            raise Retry(Reason.INTERNAL_ERROR, "away")
        return "running" if run_id in self.runs else None


@pytest.fixture
def airflow(monkeypatch) -> Airflow:
    made = Airflow()
    monkeypatch.setattr(airflow_api, "airflow_api", lambda: made)
    return made


@pytest.fixture(autouse=True)
def environment(context, ledger_url, tmp_path, monkeypatch):
    """The context of the test is the one that the environment names; the watch is quick and posts nothing."""
    settings = {
        "SURVEY": "demo",
        "LEDGER": ledger_url,
        "DEPOT": str(context.depot.root),
        "INBOX": str(context.inbox),
        "SPOOL": str(tmp_path / "spool"),
        "RUNNER": "local",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    monkeypatch.delenv("NIGHTSHIFT_CLOCK", raising=False)
    monkeypatch.setattr(steps, "LINGER_S", 1.5)
    monkeypatch.setattr(steps, "LATELY_S", 0.0)
    LocalRunner.from_environment().spool.prepare()


def bring_biases(frames, count=2):
    for index in range(count):
        for detector in (1, 2):
            frames(-60 + index, detector, kind="bias", SEQNAME="bias", SEQINDEX=index + 1, SEQLEN=count)


def test_files_that_came_are_registered_and_the_run_of_their_set_is_asked_for(frames, airflow, context):
    bring_biases(frames)
    text = steps.ingest_and_request()
    assert text == "4 files, 1 runs asked for"
    assert airflow.runs == {"calibrations__democam__20260115__bias__v1": "calibrations"}
    assert not list(context.inbox.glob("*.fits"))


def test_asking_twice_is_one_run(frames, airflow):
    bring_biases(frames)
    steps.ingest_and_request()
    assert steps.ingest_and_request() == "0 files, 0 runs asked for"
    assert len(airflow.runs) == 1


def test_a_run_that_airflow_did_not_take_is_asked_for_again(frames, airflow):
    bring_biases(frames)
    airflow.away = True
    with pytest.raises(Retry):
        steps.ingest_and_request()
    airflow.away = False
    steps.ingest_and_request()
    assert len(airflow.runs) == 1


def news_of(watch):
    """Look until there is something to say."""
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < deadline:
        if news := watch.news():
            return news
    raise AssertionError("no news")


def test_the_watch_wakes_for_a_complete_file(frames):
    watch = steps.InboxWatch(60)
    frames(1)
    assert news_of(watch) == "1 files"


def test_the_watch_wakes_for_what_is_due_without_any_file(frames, airflow):
    bring_biases(frames)
    airflow.away = True
    with pytest.raises(Retry):
        steps.ingest_and_request()
    assert "calibrations__democam__20260115__bias" in news_of(steps.InboxWatch(60))


def test_the_watch_wakes_by_itself_on_a_quiet_night():
    assert news_of(steps.InboxWatch(0.1)) == "time to sweep"


def test_the_watch_outlives_a_ledger_and_an_inbox_that_do_not_answer(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("NIGHTSHIFT_INBOX", "/no/such/inbox")
    watch = steps.InboxWatch(60)
    assert watch.news() is None


def a_run(**values):
    return SimpleNamespace(**{"conf": {}, "data_interval_end": None, **values})


def put_night(context):
    begins, ends = night_bounds(context.survey.site, NIGHT)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "insert into nights (site, night, begins, ends) values (%s, %s, %s, %s)",
            (context.survey.site.name, NIGHT, begins, ends),
        )
    return ends


def test_the_clocks_run_closes_the_night_that_ended_and_does_not_do_twice_what_the_manifest_began(context):
    morning = put_night(context) - timedelta(hours=5)
    assert steps.begin_night_end(a_run(data_interval_end=morning)) == TEXT
    with pytest.raises(AirflowSkipException, match="closing"):
        steps.begin_night_end(a_run(data_interval_end=morning))


def test_the_clocks_run_has_nothing_to_do_for_a_night_of_which_nothing_came(context):
    with pytest.raises(AirflowSkipException, match="nothing came"):
        steps.begin_night_end(a_run(data_interval_end=datetime(2026, 1, 16, 14, tzinfo=UTC)))


def test_a_run_that_was_asked_for_with_its_night_may_begin_again(context):
    put_night(context)
    conf = {"site": "demo", "night": "2026-01-15", "signal": "manifest"}
    assert [steps.begin_night_end(a_run(conf=conf)) for _ in range(2)] == [TEXT] * 2


def test_a_night_may_not_close_while_a_run_is_due(frames, airflow, context, monkeypatch):
    bring_biases(frames)
    airflow.away = True
    with pytest.raises(Retry):
        steps.ingest_and_request()
    begin_closing(context, NIGHT, signal="manifest")
    monkeypatch.setattr("nightshift.night_end.close.may_close", lambda *_: (True, "nothing is under way"))
    assert steps.why_night_may_close(TEXT) is None
    monkeypatch.setattr("nightshift.night_end.close.may_close", lambda *_: (True, "the deadline of 9 s has passed"))
    assert "deadline" in steps.why_night_may_close(TEXT)


def test_moving_objects_are_asked_for_once_and_waited_for(airflow):
    ids = {steps.request_run_of_night("moving_objects", TEXT) for _ in range(2)}
    assert len(ids) == 1
    assert list(airflow.runs.values()) == ["moving_objects"]
    watch = steps.RunWatch("moving_objects", TEXT)
    assert watch.how_it_ended() is None
    airflow.run_state = lambda *_: "failed"
    assert watch.how_it_ended() == "failed"


def test_a_run_that_airflow_does_not_know_is_not_waited_for_for_ever(airflow, monkeypatch):
    monkeypatch.setattr(steps, "LOOKS_IN_VAIN", 3)
    watch = steps.RunWatch("moving_objects", TEXT)
    assert [watch.how_it_ended() for _ in range(2)] == [None, None]
    airflow.away = True
    assert [watch.how_it_ended() for _ in range(3)] == [None] * 3  # not known is not gone
    airflow.away = False
    assert watch.how_it_ended().startswith("Airflow has no run moving_objects__demo__20260115")


def test_the_end_of_a_night_whose_month_is_away_is_refused_at_once(airflow, context):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("insert into detached_months (month, folder, operator) values ('202601', '/away', 'jo')")
    conf = {"site": "demo", "night": "2026-01-15", "signal": "manifest"}
    with pytest.raises(AirflowFailException, match="`nightshift ledger attach 2026-01 --folder /away"):
        steps.begin_night_end(a_run(conf=conf))


def test_what_comes_after_a_begin_that_failed_does_nothing(airflow):
    for step in (steps.settle_night, steps.account_for_night, steps.archive_night, steps.close_night):
        with pytest.raises(AirflowFailException, match="see what the task `begin` says"):
            step("None")  # as Airflow writes the value of a task that gave none
    with pytest.raises(AirflowFailException, match="see what the task `begin` says"):
        steps.request_run_of_night("moving_objects", "None")
    assert airflow.runs == {}


# --- what people ask for ------------------------------------------------------------------------------------


def asked_by(name, **conf):
    return SimpleNamespace(dag_id="form", run_id=f"by_{name}", triggering_user_name=name, conf=conf)


REFERENCE = {"field": "101", "filter": "g", "serves": "now", "explanation": "a better sky", "dry_run": True}
FRAME = {"frame": "x.fits", "verdict": "reject", "explanation": "a plane"}


@pytest.mark.parametrize(
    ("step", "asked", "more", "said"),
    [
        (steps.regenerate_references, {**REFERENCE, "explanation": " \n "}, {}, "explanation is empty"),
        (steps.regenerate_references, {**REFERENCE, "field": "999"}, {}, "field is '999'; allowed are 101"),
        (steps.regenerate_references, REFERENCE, {"dry-run": False}, "'dry-run' is not a key of this form"),
        (steps.regenerate_references, REFERENCE, {"instrument": "elsewhere"}, "elsewhere"),
        (steps.dispose_frame, {**FRAME, "explanation": "   "}, {}, "explanation must have 1 to 500 characters"),
        (steps.dispose_frame, FRAME, {}, "knows no frame, unit or quarantined file"),
    ],
)
def test_a_request_that_is_refused_fails_once_and_its_run_says_why(airflow, step, asked, more, said):
    with pytest.raises(AirflowFailException, match=re.escape(said)):  # which Airflow does not try again
        step(asked, asked_by("mira", **more))
    assert said in airflow.notes["form", "by_mira"]
    assert airflow.notes["form", "by_mira"].startswith("Refused: ")


def test_nobody_asks_without_a_name(airflow):
    with pytest.raises(AirflowFailException, match="ask for it logged in"):
        steps.dispose_frame(FRAME, asked_by(""))


def test_a_request_that_is_answered_has_the_answer_on_its_run(airflow):
    text = steps.regenerate_references(REFERENCE, asked_by("mira"))
    assert "version 1 of field 101 in g" in text
    assert airflow.notes["form", "by_mira"] == text


def test_a_refusal_is_one_too_while_airflow_takes_no_note(airflow):
    airflow.away = True
    with pytest.raises(AirflowFailException, match="explanation is empty"):
        steps.regenerate_references({**REFERENCE, "explanation": ""}, asked_by("mira"))


def test_an_end_of_night_for_no_night_is_refused_at_once(airflow):
    with pytest.raises(AirflowFailException, match="is no night: write YYYY-MM-DD"):
        steps.begin_night_end(SimpleNamespace(conf={"night": "tonight"}, data_interval_end=None))
