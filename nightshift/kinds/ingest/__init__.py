"""Taking files in as jobs: reading, checking, hashing and copying on nodes, registering in the ledger.

A subject is one exposure, or a span of a backlog: from the exposure that names it to the ``oldest``, in the order of
the inbox.
"""

from nightshift.kinds.kind import Kind, Rank

__all__ = ["KIND"]

KIND = Kind(
    name="ingest",
    says="The files of one exposure, or of several of a backlog, by what their names tell, taken in from the inbox.",
    package=__name__,
    key=("instrument", "exposure_id", "oldest"),
    workflows=("ingest",),
    rank=Rank.CALIBRATION,
    urgency=5,
    holds_night=True,
)
