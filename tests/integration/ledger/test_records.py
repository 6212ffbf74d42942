"""A candidate's record comes back from the ledger as it was written."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

NUMBERS = st.one_of(
    st.none(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
RECORDS = st.dictionaries(
    st.sampled_from(["magpsf", "nbad", "rb", "rbversion", "isdiffpos", "ranr", "new"]),
    st.one_of(NUMBERS, st.booleans(), st.sampled_from(["t", "", "v1.2", 'é"\\']), st.just([1, None])),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=RECORDS)
def test_a_record_comes_back_as_it_was_written(context, record):
    text = json.dumps(record)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select pack_record(%s)", (text,))  # a layout is read by later statements
        cursor.execute(
            "select unpack_record(p.layout, p.numbers, p.texts)::text as after, %s::jsonb::text as before,"
            " unpack_record(p.layout, p.numbers, p.texts) as record from pack_record(%s) p",
            (text, text),
        )
        row = cursor.fetchone()
    assert row["after"] == row["before"]
    assert all(type(row["record"][name]) is type(json.loads(row["before"])[name]) for name in record)


def test_records_of_one_kind_share_a_layout(context):
    with context.ledger.connection.cursor() as cursor:
        for rb in (0.5, 1.0, None):
            cursor.execute("select pack_record(%s)", (json.dumps({"rb": rb, "nbad": 2, "rbversion": "a"}),))
        cursor.execute("select fields from record_layouts")
        assert [row["fields"] for row in cursor.fetchall()] == [["i:nbad", "f:rb", "s:rbversion"]]
