"""A kind of work that a site adds: the brightest pixel of every raw file of an exposure."""

from nightshift.kinds import Kind

__all__ = ["KIND"]

KIND = Kind(
    name="toy",
    says="The brightest pixel of each raw file of an exposure.",
    package=__name__,
    key=("instrument", "exposure_id"),
    workflows=("toy",),
    of_exposure=True,
)
