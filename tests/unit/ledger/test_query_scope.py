"""Every query names its scope: an instrument, a site, or the key of the one thing that it is about."""

import re

import pytest

from nightshift.kinds import kinds
from nightshift.ledger.database import SQL

SCOPES = {"instrument", "instruments", "site", "sites"}

KEYS = {
    # of rows: each holds its instrument or site, or belongs to one that does
    "arrival_key", "arrival_keys", "calibration_key", "candid", "candids", "first_candid", "event_ids", "frame_key",
    "job_key", "job_keys", "key", "product_key", "reference_key", "reference_keys", "token", "tracklet_key",
    "unit_key", "unit_keys",
    # of arrays, runs and what they are for
    "array_name", "run_id", "subject", "subjects",
    # what a person typed or a file is called: looked for everywhere
    "file_name", "text", "thing", "request_id",
}  # fmt: skip

OF_THE_WHOLE_LEDGER = {"fingerprint"}  # topics whose queries compare two ledgers, table by table

EXCEPTIONS = {
    # the ledger itself
    ("ledger", "has_revision"): "of the ledger",
    ("ledger", "revision"): "of the ledger",
    ("ledger", "survey_stamp"): "of the ledger",
    ("ledger", "put_survey_stamp"): "of the ledger",
    ("ledger", "sites_of_nights"): "asks which sites there are",
    ("ledger", "put_reason"): "one vocabulary for all",
    ("ledger", "put_kind"): "one registry for all",
    ("ledger", "put_measurement"): "one registry for all",
    ("ledger", "measurements"): "one registry for all",
    ("ledger", "events_since"): "one story of the survey, in order",
    ("ledger", "try_lock"): "its parameter `of` is the key",
    ("ledger", "unlock"): "its parameter `of` is the key",
    ("night_end", "reasons"): "one vocabulary for all",
    ("products", "inputs_changed"): "by the keys of products",
    ("jobs", "campaign_number"): "campaigns are the survey's",
    # the sky is one: an object is known by its place, whichever instrument saw it
    ("alerts", "lock_association"): "objects are named one after the other",
    ("alerts", "objects_in_windows"): "by place in the sky",
    ("alerts", "detections_in_windows"): "by place in the sky",
    ("alerts", "detection_times_in_windows"): "by place in the sky",
    ("alerts", "count_detections"): "by the objects' names",
    # one outbox, one poster, one broker
    ("alerts", "queued"): "sent in the order in which they were queued",
    ("alerts", "queue_length"): "of the one outbox",
    # one inbox, one depot, one clock
    ("ingest", "storage_said_lately"): "of the machine's disks",
    ("watch", "under_way"): "whether anything at all will be done soon",
    ("watch", "last_look"): "of the machine's clock",
    ("watch", "put_look"): "of the machine's clock",
    ("watch", "put_pause"): "of the machine's clock",
    ("watch", "storage"): "of the machine's disks",
    ("watch", "put_storage"): "of the machine's disks",
    ("watch", "waits"): "of the machine's disks",
    ("watch", "put_wait"): "of the machine's disks",
    ("watch", "delete_wait"): "of the machine's disks",
    ("watch", "quiet_s"): "of the one inbox",
    # one table of events, kept until every site's night of then is closed
    ("night_end", "old_events"): "of the whole ledger",
    ("night_end", "old_events_in_sum"): "of the whole ledger",
    ("night_end", "night_that_keeps_events"): "of the whole ledger",
    ("night_end", "put_event_archive"): "of the whole ledger",
    # a month's partition holds what all instruments found
    ("difference", "make_month"): "of the whole ledger",
    **{
        ("months", name): "of the whole ledger"
        for name in (
            "add_columns_of",
            "attach_month",
            "columns_of",
            "content",
            "delete_detached",
            "detach_month",
            "detached_folder",
            "is_here",
            "leave_columns",
            "lock_month",
            "month_away",
            "nights_not_closed",
            "not_ended",
            "oldest_month_here",
            "prepare_month",
            "put_detached",
            "tables",
            "unsent",
        )
    },
    # the survey is its parameter
    ("nights", "last_pins"): "of each of the survey's sites",
    ("preflight", "server"): "of the database's server",
    # the one machine
    ("stack", "latest_events"): "one story of the survey, in order",
    ("stack", "names_that_came"): "of the one inbox",
    ("airflow", "oldest_open_run"): "of Airflow's metadata",
    ("airflow", "runs_over"): "of Airflow's metadata",
    ("airflow", "end_dead_components"): "of Airflow's metadata",
    ("airflow", "limit_idle_transactions"): "of Airflow's metadata",
}


def all_queries() -> dict[tuple[str, str], str]:
    """Return the text of every named query by topic and name."""
    files = {path.stem: path for path in (SQL / "queries").glob("*.sql")}
    files |= {kind.name: kind.queries for kind in kinds() if kind.queries.exists()}
    queries: dict[tuple[str, str], str] = {}
    for topic, path in files.items():
        parts = re.split(r"^-- name: (\w+)[!<$^]*\s*$", path.read_text(), flags=re.MULTILINE)
        queries |= {(topic, name): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    return queries


def parameters(text: str) -> set[str]:
    code = re.sub(r"--[^\n]*", "", text)
    return set(re.findall(r"(?<![:\w]):([a-z_]+)", code))


QUERIES = {query: text for query, text in all_queries().items() if query[0] not in OF_THE_WHOLE_LEDGER}


@pytest.mark.parametrize("query", sorted(QUERIES), ids="/".join)
def test_a_query_names_its_scope_or_the_reason_why_it_has_none(query):
    names = parameters(QUERIES[query])
    if query in EXCEPTIONS:
        assert not names & (SCOPES | KEYS), "it has a scope by now: take it off the list"
    else:
        assert names & (SCOPES | KEYS), (
            f"{'/'.join(query)} has the parameters {sorted(names)}: let it take :instrument or :site, so that no "
            "site's night waits for another's"
        )


def test_no_exception_is_of_a_query_that_is_gone():
    assert EXCEPTIONS.keys() <= QUERIES.keys()


def test_a_query_without_scope_is_found():
    assert not parameters("select * from nights where night = :night -- of :site") & (SCOPES | KEYS)
    assert parameters("select a::text from nights where site = :site") == {"site"}
