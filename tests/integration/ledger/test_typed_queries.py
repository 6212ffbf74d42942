"""The typed functions of the named queries are what the SQL and the ledger's schema say."""

import os
from pathlib import Path
from typing import get_type_hints

import pytest

from nightshift.errors import NeedsOperator
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.typed_queries import Topic, source_of, topics

pytestmark = pytest.mark.integration


SITE_KIND = Path(__file__).parents[1] / "kinds" / "toy" / "toy_kind"  # as a site brings one: it is typed alike
TOY = Topic("toy", SITE_KIND / "queries.sql", SITE_KIND / "queries.py")


@pytest.mark.parametrize("topic", [*topics(), TOY], ids=lambda topic: topic.name)
def test_the_module_of_a_topic_is_that_of_its_queries(topic, ledger_url):
    source = source_of(topic, ledger_url)
    if os.environ.get("NIGHTSHIFT_WRITE_QUERIES"):  # `make queries`
        topic.module.write_text(source)
    assert topic.module.read_text() == source, "run `make queries`"


def test_comments_tell_of_null_what_the_database_cannot_know():
    packet, use = get_type_hints(archive_queries.Packet), get_type_hints(night_end_queries.CalibrationUse)
    assert (
        packet["packet_path"] is str
    )  # null in the table until the packet is written; the query asks for those after
    assert use["reason"] == str | None  # of an aggregate


def test_a_comment_that_speaks_of_no_column_or_parameter_is_refused(ledger_url, tmp_path):
    path = tmp_path / "toy.sql"
    path.write_text("-- name: toy\n-- nullable: detial\nselect detail from units where unit_key = :unit_key;\n")
    with pytest.raises(NeedsOperator, match="query toy: its comments speak of detial, which it does not have"):
        source_of(Topic("toy", path, tmp_path / "toy.py"), ledger_url)
