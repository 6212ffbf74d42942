"""Moving objects: the detections of a night, linked into tracklets."""

from nightshift.kinds.kind import Kind, Rank

__all__ = ["KIND"]

KIND = Kind(
    name="moving_objects",
    says="One night's detections, linked into tracklets.",
    package=__name__,
    key=("site", "night"),
    workflows=("moving_objects",),
    settings=("moving_objects",),
    rank=Rank.MORNING,
    asked_at_closing=True,
)
