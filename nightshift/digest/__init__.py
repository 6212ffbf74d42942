"""The digest of a night: what two runs of it must agree on, whatever broke while they ran."""

from nightshift.digest.compare import Difference, compare
from nightshift.digest.night import Digest, take_digest

__all__ = ["Difference", "Digest", "compare", "take_digest"]
