"""What a node loads to read a file: starting Python is most of what a small file costs there."""

import subprocess
import sys

import pytest

HEAVY = ("psycopg2", "aiosql", "astropy", "scipy", "numba", "jsonschema")
LOADED = (
    "import sys, nightshift.jobs.__main__, nightshift.kinds.ingest.work; "
    f"print([name for name in {HEAVY} if name in sys.modules])"
)


@pytest.mark.timeout(60)
def test_a_node_that_takes_files_in_loads_no_ledger_and_no_library_of_images():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
