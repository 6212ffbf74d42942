"""A ledger of before is brought to the newest schema: its rows stay, under the keys of today."""

import secrets
from contextlib import closing
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest
from alembic import command
from alembic.config import Config

from nightshift.keys import ReferenceKey
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.database import SQL

pytestmark = pytest.mark.integration

OLD_ROWS = Path(__file__).with_name("rows_of_0008.sql")
MASTER = "bias/democam/d01/q1/-/20260115/e1/v1"
REFERENCE = "reference/000101/democam/d01/q1/g/v1"
UNIT = "democam/1/d01/q1/processed/live"
PARTITIONED = (
    "units", "image_quality", "differences", "products", "product_inputs", "archive_files", "candidates", "alerts",
    "outbox",
)  # fmt: skip


class OldLedger:
    """A database with the schema and rows of before migration 0009."""

    def __init__(self, url: str):
        self.url = url
        self.config = Config()
        self.config.set_main_option("script_location", str(SQL / "migrations"))
        self.config.attributes["url"] = url.replace("postgresql://", "postgresql+psycopg2://", 1)
        command.upgrade(self.config, "0008")
        self.query(OLD_ROWS.read_text())

    def query(self, text: str) -> list[dict]:
        cursors = psycopg2.extras.RealDictCursor
        with closing(psycopg2.connect(self.url, cursor_factory=cursors)) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(text)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def column(self, text: str) -> list:
        return [next(iter(row.values())) for row in self.query(text)]


@pytest.fixture
def old(postgres_server):
    name = f"test_{secrets.token_hex(6)}"
    postgres_server.create_database(name)
    yield OldLedger(postgres_server.url(name))
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"drop database if exists {name} with (force)")


def test_masters_and_references_get_the_live_campaign_in_all_that_names_them(old):
    migrate(old.url)
    assert old.query("select calibration_key, campaign, product_key from calibrations") == [
        {"calibration_key": f"{MASTER}/live", "campaign": "live", "product_key": f"{MASTER}/live/bias"}
    ]
    assert old.query("select reference_key, campaign, product_key from reference_images") == [
        {"reference_key": f"{REFERENCE}/live", "campaign": "live", "product_key": f"{REFERENCE}/live/reference"}
    ]
    assert ReferenceKey.parse(f"{REFERENCE}/live").field == 101
    assert old.column("select calibration_key from calibration_frames") == [f"{MASTER}/live"]
    for table in ("reference_members", "differences", "candidates"):
        assert old.column(f"select reference_key from {table}") == [f"{REFERENCE}/live"]
    assert old.column("select unit_key from attempts order by 1") == [f"{MASTER}/live", UNIT, f"{REFERENCE}/live"]


def test_products_of_units_keep_their_keys_and_all_keep_their_files(old):
    before = old.query("select path, sha256 from products order by path")
    migrate(old.url)
    assert old.query("select path, sha256 from products order by path") == before
    assert old.column("select product_key from products order by 1") == [
        f"{MASTER}/live/bias", f"{UNIT}/calibrated", f"{REFERENCE}/live/reference",
    ]  # fmt: skip
    assert old.query("select product_key, input_key from product_inputs order by 1") == [
        {"product_key": f"{UNIT}/calibrated", "input_key": f"{MASTER}/live/bias"},
        {"product_key": f"{REFERENCE}/live/reference", "input_key": f"{UNIT}/calibrated"},
    ]


def test_a_frame_has_the_night_of_its_exposure_and_its_name_is_unique_in_it_alone(old):
    migrate(old.url)
    assert [str(night) for night in old.column("select night from raw_frames")] == ["2026-01-15"]
    again = (
        "insert into raw_frames (instrument, exposure_id, detector, night, arrival_key, inbox_name, path, sha256,"
        " bytes, header) select instrument, exposure_id, 2, {}, arrival_key, inbox_name, {}, sha256, bytes, header"
        " from raw_frames where detector = 1"
    )
    old.query(again.format("night + 1", "'elsewhere'"))
    with pytest.raises(psycopg2.errors.UniqueViolation):
        old.query(again.replace("2, {}", "3, {}").format("night", "'third'"))


def test_what_only_the_clock_dated_belongs_to_the_last_night_whose_manifest_lists_it(old):
    migrate(old.url)
    found = old.query("select file_name, night::text, arrival_key from arrivals_on_manifests order by 1, 2, 3")
    assert found == [
        {"file_name": "broken.fits", "night": "2026-01-15", "arrival_key": "broken"},
        {"file_name": "one.fits", "night": "2026-01-15", "arrival_key": "one"},
    ]


def test_what_was_sent_still_stays_and_a_key_still_needs_its_row(old):
    migrate(old.url)
    with pytest.raises(psycopg2.errors.RaiseException, match="was sent and stays"):
        old.query("update candidates set number = 9")
    for text in (
        "update differences set reference_key = 'reference/x'",
        "update calibration_frames set calibration_key = 'bias/x'",
        "update reference_members set reference_key = 'reference/x'",
    ):
        with pytest.raises(psycopg2.errors.ForeignKeyViolation):
            old.query(text)


def _content_of_before(old):
    """Return the rows as a fingerprint reads them; candidates as it did before their numbers were single."""
    with open_ledger(old.url) as ledger:
        content = {table: ledger.rows("fingerprint", table) for table in PARTITIONED if table != "candidates"}
    read = (
        "select to_jsonb(t) || jsonb_build_object('record', unpack_record(layout, numbers, texts)) from candidates t"
    )
    return content | {"candidates": old.column(read)}


def test_rows_of_before_the_months_go_to_their_month_and_read_the_same(old):
    command.upgrade(old.config, "0014")
    before = _content_of_before(old)
    assert all(before[table] for table in ("units", "products", "product_inputs", "differences", "candidates"))
    command.upgrade(old.config, "0015")
    assert _content_of_before(old) == before
    place = "select distinct tableoid::regclass::text from {} order by 1"
    for table in ("units", "differences", "attempts"):
        assert old.column(place.format(table)) == [f"{table}_202601"]
    for table in ("products", "product_inputs"):  # the master's and the reference's stay
        assert old.column(place.format(table)) == [f"{table}_202601", f"{table}_lasting"]
    lasting = old.column("select product_key from products_lasting order by 1")
    assert lasting == [f"{MASTER}/live/bias", f"{REFERENCE}/live/reference"]


@pytest.mark.parametrize(
    ("unit", "exposure"),
    [
        ("state = 'processed', reason = null, ended_at = now()", "ended"),
        ("state = 'running', reason = null, ended_at = null", "running"),
    ],
)
def test_an_exposure_that_a_closed_night_left_without_work_has_ended(old, unit, exposure):
    command.upgrade(old.config, "0018")
    old.query(f"update exposures set state = 'running'; update units set {unit}")
    old.query("update nights set state = 'closed', changed = false")
    command.upgrade(old.config, "0020")
    assert old.column("select state::text from exposures") == [exposure]


def test_migrating_twice_changes_nothing(old):
    migrate(old.url)
    before = old.column("select product_key from products order by 1")
    migrate(old.url)
    assert old.column("select product_key from products order by 1") == before
