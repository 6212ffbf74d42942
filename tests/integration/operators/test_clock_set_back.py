"""Airflow goes on after the machine's clock was set back, on its own tables in a real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy
from airflow.models import import_all_models
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy.orm import Session

from operators.clock_set_back import set_right

pytestmark = pytest.mark.integration

TABLES = sqlalchemy.MetaData()  # Airflow's, with neither what binds them nor their defaults
NOW = datetime.now(UTC)
AHEAD, BEFORE, SOON = (NOW + timedelta(minutes=m) for m in (60, -1, 0.4))


@pytest.fixture(scope="module", autouse=True)
def tables():
    import_all_models()
    for table in (model.__table__ for model in (DagModel, DagRun, TaskInstance)):
        sqlalchemy.Table(table.name, TABLES, *(sqlalchemy.Column(c.name, c.type) for c in table.columns))


@pytest.fixture
def session(ledger_url):
    """Airflow's tables in a schema of their own."""
    url = sqlalchemy.make_url(ledger_url).set(drivername="postgresql+psycopg2")
    engine = sqlalchemy.create_engine(url, connect_args={"options": "-csearch_path=airflow"})
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create schema airflow"))
        TABLES.create_all(connection)
    with Session(engine) as session:
        yield session
    engine.dispose()


def put(session, model, **values):
    session.execute(sqlalchemy.insert(TABLES.tables[model.__tablename__]).values(**values))


def put_run(session, name, *, state="running", dag="exposure", run_type="manual", decided=BEFORE, **moments):
    put(
        session, DagRun, id=abs(hash(name)) % 10**6, dag_id=dag, run_id=name, run_type=run_type, state=state,
        last_scheduling_decision=decided, **moments,
    )  # fmt: skip


def runs(session):
    query = sqlalchemy.select(DagRun.run_id, DagRun.run_after, DagRun.last_scheduling_decision)
    return {name: (after, decided) for name, after, decided in session.execute(query)}


def test_runs_that_were_asked_for_before_the_clock_was_set_back_are_looked_at_now(session):
    put_run(session, "under way", run_after=AHEAD, created_at=AHEAD, decided=AHEAD)
    put_run(session, "queued", run_after=AHEAD, created_at=AHEAD, state="queued", decided=None)
    put_run(session, "ended", run_after=AHEAD, created_at=AHEAD, state="success")
    put_run(session, "planned for later by a person", run_after=AHEAD, created_at=BEFORE)
    put_run(session, "planned by a person meanwhile", run_after=AHEAD + timedelta(hours=2), created_at=AHEAD)
    put_run(session, "end of the night", run_after=AHEAD, created_at=AHEAD, run_type="scheduled", dag="end_of_night")
    put_run(session, "a clock that differs a little", run_after=SOON, created_at=SOON, decided=SOON)
    put_run(session, "older", run_after=BEFORE, created_at=BEFORE)
    before = runs(session)
    assert set_right(session) == 3
    after = runs(session)
    moved = {name for name in after if after[name][0] != before[name][0]}
    assert moved == {"under way", "queued"}
    assert all(after[name][0] < AHEAD for name in moved)
    assert after["under way"][1] is None  # not after all others
    assert after["older"] == before["older"]
    assert set_right(session) == 0


def test_a_run_of_the_watch_of_a_date_that_is_still_to_come_has_none(session):
    put(session, DagModel, dag_id="watch_inbox", timetable_summary="@continuous")
    for dag in ("watch_inbox", "end_of_night"):
        put_run(session, dag, run_after=BEFORE, created_at=AHEAD, logical_date=AHEAD, dag=dag, run_type="scheduled")
    assert set_right(session) == 1
    assert dict(session.execute(sqlalchemy.select(DagRun.dag_id, DagRun.logical_date)).all()) == {
        "watch_inbox": None,
        "end_of_night": AHEAD,
    }


def test_the_watch_comes_again_and_other_schedules_keep_their_time(session):
    columns = ("next_dagrun", "next_dagrun_data_interval_start", "next_dagrun_data_interval_end")
    shared = dict.fromkeys((*columns, "next_dagrun_create_after"), AHEAD)
    put(session, DagModel, dag_id="watch_inbox", timetable_summary="@continuous", **shared)
    put(session, DagModel, dag_id="end_of_night", timetable_summary="end of night at ztf", **shared)
    assert set_right(session) == 1
    query = sqlalchemy.select(DagModel.dag_id, DagModel.next_dagrun, DagModel.next_dagrun_create_after)
    times = {dag: moments for dag, *moments in session.execute(query)}
    assert max(times["watch_inbox"]) < AHEAD
    assert min(times["end_of_night"]) == AHEAD
    assert set_right(session) == 0


def test_a_retry_that_counts_from_a_moment_ahead_counts_from_now(session):
    for task, ended, state in (("a", AHEAD, "up_for_retry"), ("b", BEFORE, "up_for_retry"), ("c", AHEAD, "success")):
        put(session, TaskInstance, id=uuid4(), dag_id="exposure", run_id="r", task_id=task, map_index=-1, state=state,
            end_date=ended)  # fmt: skip
    assert set_right(session) == 1
    ends = dict(session.execute(sqlalchemy.select(TaskInstance.task_id, TaskInstance.end_date)).all())
    assert ends["a"] < AHEAD
    assert (ends["b"], ends["c"]) == (BEFORE, AHEAD)
