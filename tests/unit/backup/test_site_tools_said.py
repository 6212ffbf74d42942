"""What barman 3.4 and pgBackRest 2.45 printed of a server, as it was recorded."""

import json
from datetime import UTC, datetime

import pytest

from nightshift.backup.site_tools import newest_of_barman, newest_of_pgbackrest, site_backup
from nightshift.errors import NeedsOperator
from nightshift.settings.backup import BackupPolicy

BARMAN = {
    "ledger": [
        {"backup_id": "20261201T172856", "status": "FAILED"},
        {"backup_id": "20261201T162856", "end_time_timestamp": "1796142538", "status": "DONE", "size": "44.5 MiB"},
        {"backup_id": "20261130T162856", "end_time_timestamp": "1796056138", "status": "DONE", "size": "44.5 MiB"},
    ]
}
PGBACKREST = [
    {
        "name": "ledger",
        "status": {"code": 0, "message": "ok"},
        "backup": [
            {"label": "20261130-162950F", "error": False, "timestamp": {"start": 1796056190, "stop": 1796056210}},
            {"label": "20261201-162950F", "error": False, "timestamp": {"start": 1796142590, "stop": 1796142610}},
            {"label": "20261202-162950F", "error": True, "timestamp": {"start": 1796228990, "stop": 1796229010}},
        ],
    }
]


def test_the_newest_good_backup_of_barman_counts():
    assert newest_of_barman(json.dumps(BARMAN), "ledger") == (
        "20261201T162856", datetime(2026, 12, 1, 16, 28, 58, tzinfo=UTC),
    )  # fmt: skip
    assert newest_of_barman('{"ledger": []}', "ledger") == ("", None)


def test_the_newest_good_backup_of_pgbackrest_counts():
    name, moment = newest_of_pgbackrest(json.dumps(PGBACKREST), "ledger")
    assert (name, moment) == ("20261201-162950F", datetime(2026, 12, 1, 16, 30, 10, tzinfo=UTC))


@pytest.mark.parametrize("said", ["", "ERROR", "[]", "{}", '{"ledger": 3}', '[{"name": "other"}]'])
def test_an_answer_that_is_not_understood_is_no_backup(said):
    for newest in (newest_of_barman, newest_of_pgbackrest):
        with pytest.raises(NeedsOperator, match="is not understood"):
            newest(said, "ledger")


def test_a_stanza_in_trouble_is_said_with_its_words():
    said = json.dumps([{"name": "ledger", "backup": [], "status": {"code": 1, "message": "missing stanza path"}}])
    with pytest.raises(NeedsOperator, match="missing stanza path"):
        newest_of_pgbackrest(said, "ledger")


def test_a_tool_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NeedsOperator, match="barman is not installed"):
        site_backup(BackupPolicy(by="barman", server="ledger"))


@pytest.mark.parametrize("server", ["", "--all", "a\nb"])
def test_a_name_that_is_none_is_refused(server):
    with pytest.raises(ValueError, match=r"needs server|is not a name"):
        BackupPolicy(by="barman", server=server)
