"""The fingerprint of a night: what two runs of it must agree on, whatever broke while they ran."""

from nightshift.fingerprint.compare import Difference, compare
from nightshift.fingerprint.night_fingerprint import Fingerprint, take_fingerprint

__all__ = ["Difference", "Fingerprint", "compare", "take_fingerprint"]
