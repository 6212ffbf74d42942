"""One process at a time does a thing, and nobody waits for ever."""

import pytest

from nightshift.ledger import open_ledger
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock

pytestmark = pytest.mark.integration


def test_locked_work_is_done_by_one_at_a_time_and_to_different_things_at_once(ledger_url):
    with (
        open_ledger(ledger_url) as one,
        open_ledger(ledger_url) as other,
        advisory_lock(one, LockedWork.RELEASE, "a"),
    ):
        with pytest.raises(Busy, match="release a"), advisory_lock(other, LockedWork.RELEASE, "a", wait_s=0.0):
            pass
        with (
            advisory_lock(other, LockedWork.RELEASE, "b", wait_s=0.0),
            advisory_lock(other, LockedWork.RELEASE_ORDER, "a", wait_s=0.0),
        ):
            pass


def test_the_lock_goes_with_the_process_that_held_it(ledger_url):
    killed = open_ledger(ledger_url)
    killed.value("ledger", "try_lock", work=LockedWork.POST, of="")
    with open_ledger(ledger_url) as other:
        with pytest.raises(Busy), advisory_lock(other, LockedWork.POST, wait_s=0.0):
            pass
        killed.close()
        with advisory_lock(other, LockedWork.POST):
            pass
