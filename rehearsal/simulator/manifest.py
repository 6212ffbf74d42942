"""The mountain's manifest: what left the telescope in a night."""

from collections.abc import Iterable
from datetime import date
from typing import Any

__all__ = ["manifest_of"]


def manifest_of(site: str, night: date, files: Iterable[dict[str, Any]], *, synthetic: bool) -> dict[str, Any]:
    """Return a manifest in one part.

    Parameters
    ----------
    site : str
    night : date
    files : iterable of dict
        Each with `name`, `bytes` and `sha256`.
    synthetic : bool
        Whether it was made from a folder afterwards, so that it cannot know what never arrived.
    """
    return {
        "schema": "nightshift.manifest/1",
        "site": site,
        "night": night.isoformat(),
        "part": 1,
        "parts": 1,
        "synthetic": synthetic,
        "files": list(files),
    }
