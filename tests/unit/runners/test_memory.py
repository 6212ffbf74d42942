"""While a unit is worked on the process keeps what it freed; afterwards it does not."""

import ctypes
import subprocess
import sys

import pytest

MEASURED = """
import os
import numpy as np
from nightshift.jobs.memory import freed_memory_kept

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

before = resident_mb()
with freed_memory_kept():
    image = np.ones(50_000_000, np.float32)
    del image
    kept = resident_mb() - before
after = resident_mb() - before
image = np.ones(50_000_000, np.float32)
del image
print(kept, after, resident_mb() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not GNU's: nothing to set")
def test_freed_memory_is_kept_for_the_unit_and_given_back_when_it_is_done():
    told = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    kept, after, usual = map(float, told.stdout.split())
    assert kept > 190
    assert after < 20
    assert usual < 20
