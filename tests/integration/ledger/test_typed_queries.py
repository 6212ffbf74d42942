"""The typed functions of the named queries are what the SQL and the ledger's schema say."""

import os

import pytest

from nightshift.ledger.typed_queries import source_of, topics

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
def test_the_module_of_a_topic_is_that_of_its_queries(topic, ledger_url):
    source = source_of(topic, ledger_url)
    if os.environ.get("NIGHTSHIFT_WRITE_QUERIES"):  # `make queries`
        topic.module.write_text(source)
    assert topic.module.read_text() == source, "run `make queries`"
