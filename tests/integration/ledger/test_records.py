"""A candidate's record comes back from the ledger as it was written."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightshift.alerts.schema import in_single_precision, single_fields

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
@given(
    record=RECORDS,
    single=st.lists(st.sampled_from(["magpsf", "nbad", "rb", "new"]), unique=True),
    common=st.lists(st.sampled_from(["rbversion", "isdiffpos", "ranr"]), unique=True),
)
def test_a_record_comes_back_as_it_was_written(context, record, single, common):
    text = json.dumps(record)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "select pack_record(%s, %s, %s)", (text, single, common)
        )  # a layout is read by later statements
        cursor.execute(
            "select unpack_record(p.layout, p.numbers, p.singles, p.texts)::text as after, %s::jsonb::text as before,"
            " unpack_record(p.layout, p.numbers, p.singles, p.texts) as record from pack_record(%s, %s, %s) p",
            (text, text, single, common),
        )
        row = cursor.fetchone()
    assert row["after"] == row["before"]
    assert all(type(row["record"][name]) is type(json.loads(row["before"])[name]) for name in record)


def test_records_of_one_kind_share_a_layout(context):
    with context.ledger.connection.cursor() as cursor:
        for rb in (0.5, 1.0, None):
            cursor.execute(
                "select pack_record(%s, '{rb}', '{rbversion}')",
                (json.dumps({"rb": rb, "nbad": 2, "rbversion": "a"}),),
            )
        cursor.execute("select fields from record_layouts")
        assert [row["fields"] for row in cursor.fetchall()] == [["i:nbad", "r:rb", "c:rbversion=a"]]


def test_numbers_of_single_precision_make_the_same_packet(context):
    """What the ledger keeps in four bytes is, in a packet's four bytes, what the job measured."""
    record = dict.fromkeys(single_fields(), 20.123456789012344) | {"ranr": 150.123456789012345, "nbad": 2}
    kept = in_single_precision(record)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select (p).* from pack_record(%s, %s, '{}') p", (json.dumps(kept), sorted(single_fields())))
        row = cursor.fetchone()
    assert (len(row["singles"]), len(row["numbers"])) == (len(single_fields()), 2)
    assert kept["ranr"] == record["ranr"]
    assert all(np.float32(kept[name]) == np.float32(record[name]) for name in single_fields())
