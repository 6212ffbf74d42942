"""The typed functions of the named queries are what the SQL and the ledger's schema say."""

import os
from pathlib import Path

import pytest

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
