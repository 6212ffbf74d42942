"""The kinds of work: a folder each, with all that is particular to it, and the registry of them."""

from nightshift.kinds.kind import Kind, Rank
from nightshift.kinds.registry import kind_named, kind_of_workflow, kinds

__all__ = ["Kind", "Rank", "kind_named", "kind_of_workflow", "kinds"]
