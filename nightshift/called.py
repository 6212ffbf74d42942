"""What people call things: one way to write a key, whichever command or form it is given to.

An exposure, a frame and a quadrant may be written without their instrument where one alone has them, and a quadrant
without tier and campaign, as the mail writes it; a master and a reference without their campaign; an alert by its
candid.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from nightshift.errors import BadInput
from nightshift.ingest.naming import shown
from nightshift.keys import LIVE, ExposureKey, FrameKey, UnitKey
from nightshift.ledger import Ledger
from nightshift.ledger.queries import called as queries
from nightshift.vocabulary import CalibrationKind, Reason, Tier

__all__ = ["Called", "Thing", "called", "unit_of_alert"]

_PLACE = re.compile(
    r"(?P<exposure>[^/]+(?:/[^/]+)?)/d(?P<detector>\d{1,4})"
    r"(?:/q(?P<quadrant>\d{1,4})(?:/(?P<tier>[^/]+)(?:/(?P<campaign>[^/]+))?)?)?"
)
_VERSION = re.compile(r"/v\d+$")  # a master's or reference's key without its campaign
LARGEST_CANDID = 2**63 - 1


class Thing(StrEnum):
    """What a key is of."""

    EXPOSURE = "exposure"
    FRAME = "frame"  # one detector's raw file
    UNIT = "unit"  # one quadrant, reduced
    MASTER = "master"
    REFERENCE = "reference"
    ALERT = "alert"  # by its candid
    ARRIVAL = "arrival"  # of a file, by its arrival's key


@dataclass(frozen=True)
class Called:
    """A thing by its key.

    Parameters
    ----------
    thing : Thing
    key : str
        As the ledger has it.
    """

    thing: Thing
    key: str


def called(ledger: Ledger, text: str) -> Called | None:
    """Return what a person means, or None where the text is no key of something that the ledger knows.

    The name of a file is none: several nights may have it (`nightshift.ingest.naming.file_of_night`).

    Raises
    ------
    BadInput
        If it could be several things; the message names them.
    """
    text = shown(text.strip())
    kind, _, rest = text.partition("/")
    if kind == Thing.ARRIVAL and rest:
        return Called(Thing.ARRIVAL, rest)
    if kind in set(CalibrationKind) or kind == Thing.REFERENCE:
        return _made(ledger, kind, f"{text}/{LIVE}" if _VERSION.search(text) else text)
    place = _PLACE.fullmatch(text)
    exposure = _exposure(ledger, place["exposure"] if place else text)
    if exposure is None:
        return _alert(ledger, text)
    if place is None:
        return Called(Thing.EXPOSURE, str(exposure))
    if place["quadrant"] is None:
        return Called(Thing.FRAME, str(FrameKey(*exposure, int(place["detector"]))))
    unit = UnitKey(
        *exposure, int(place["detector"]), int(place["quadrant"]), place["tier"] or Tier.PROCESSED,
        place["campaign"] or LIVE,
    )  # fmt: skip
    return Called(Thing.UNIT, str(unit))


def unit_of_alert(ledger: Ledger, found: Called) -> str | None:
    """Return the unit that an alert is of, or None where the thing is no alert."""
    row = queries.candidate_called(ledger, candid=int(found.key)) if found.thing is Thing.ALERT else None
    return None if row is None else row.unit_key


def _made(ledger: Ledger, kind: str, key: str) -> Called | None:
    if kind == Thing.REFERENCE:
        return Called(Thing.REFERENCE, key) if queries.is_reference(ledger, key=key) else None
    return Called(Thing.MASTER, key) if queries.is_master(ledger, key=key) else None


def _exposure(ledger: Ledger, text: str) -> ExposureKey | None:
    found = [ExposureKey(row.instrument, row.exposure_id) for row in queries.exposures_called(ledger, text=text)]
    if len(found) > 1:
        raise BadInput(
            Reason.INTERNAL_ERROR, f"several instruments have {text!r}: say {' or '.join(map(str, found))}"
        )
    return found[0] if found else None


def _alert(ledger: Ledger, text: str) -> Called | None:
    if not (text.isascii() and text.isdecimal()) or int(text) > LARGEST_CANDID:
        return None
    row = queries.candidate_called(ledger, candid=int(text))
    return None if row is None else Called(Thing.ALERT, str(row.candid))
