"""Alerts: from candidates in the ledger to packets at the broker.

`release` makes and queues packets, `post` sends them. What is queued, sent and acknowledged is in the ledger; the
packets themselves are in the depot.
"""

from nightshift.alerts.post import PostSummary, post
from nightshift.alerts.release import ReleaseSummary, release

__all__ = ["PostSummary", "ReleaseSummary", "post", "release"]
