"""Taking files in as jobs: reading, checking, hashing and copying on nodes, registering in the ledger."""

from nightshift.kinds.kind import Kind, Rank

__all__ = ["KIND"]

KIND = Kind(
    name="ingest",
    says="The files of one exposure, as far as their names tell, taken in from the inbox.",
    package=__name__,
    key=("instrument", "exposure_id"),
    workflows=("ingest",),
    rank=Rank.CALIBRATION,
    urgency=5,
    holds_night=True,
)
