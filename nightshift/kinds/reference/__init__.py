"""References: one quadrant of a field in a filter, combined of its good frames."""

from nightshift.kinds.kind import Kind

__all__ = ["KIND"]

KIND = Kind(
    name="reference",
    says="One quadrant's reference image of its good frames.",
    package=__name__,
    key=("instrument", "field", "filter", "version"),
    workflows=("references", "regenerate_references"),
    settings=("reduction",),
    urgency=20,
    holds_night=True,
    lasting=True,
)
