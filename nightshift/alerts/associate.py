"""Which object a detection belongs to: the nearest one known within the match radius, or a new one.

An object stays where its first detection was, so that a chain of near misses cannot walk over the sky.
"""

from collections.abc import Iterable, Sequence
from typing import TypedDict

from nightshift.alerts.cone_search import search_windows, separation_arcsec, zone_of
from nightshift.alerts.ids import object_names
from nightshift.ledger import Ledger
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries.alerts import Candidate, SkyObject

__all__ = ["KnownObjects", "associate", "windows_of"]


class Windows(TypedDict):
    """Search windows as the columns that the ledger's queries take; `items` are the indices of their places."""

    items: list[int]
    zones: list[int]
    lows: list[float]
    highs: list[float]


class KnownObjects:
    """Objects by zone, to be asked which of them lies nearest to a place.

    Parameters
    ----------
    objects : iterable of SkyObject
        Those that may matter; the order does not.
    """

    def __init__(self, objects: Iterable[SkyObject] = ()):
        self._by_zone: dict[int, dict[str, SkyObject]] = {}
        for known in objects:
            self.add(known)

    def add(self, known: SkyObject) -> None:
        """Take in one more object."""
        self._by_zone.setdefault(zone_of(known.dec_deg), {})[known.object_id] = known

    def nearest(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> SkyObject | None:
        """Return the object nearest to a place within a radius; of two as near, the first by name."""
        zones = {window.zone for window in search_windows(ra_deg, dec_deg, radius_arcsec)}
        near = [
            (separation_arcsec(ra_deg, dec_deg, known.ra_deg, known.dec_deg), known.object_id, known)
            for zone in zones
            for known in self._by_zone.get(zone, {}).values()
        ]
        best = min(near, default=None, key=lambda entry: entry[:2])
        return best[2] if best and best[0] <= radius_arcsec else None


def associate(
    ledger: Ledger, detections: Sequence[Candidate], *, prefix: str, radius_arcsec: float
) -> dict[int, str]:
    """Give each detection its object in the ledger, and return the objects' names by candid.

    A detection that has its object keeps it: running again changes nothing. Works in one transaction under a
    lock of its own, so that two exposures cannot both find the same new object.

    Parameters
    ----------
    ledger : Ledger
    detections : sequence of Candidate
    prefix : str
        What the survey's names of objects begin with.
    radius_arcsec : float
        How near is the same object.
    """
    ordered = sorted(detections, key=lambda d: (d.shutter_open, d.candid))
    with ledger.transaction():
        alert_queries.lock_association(ledger)
        named = alert_queries.objects_of(ledger, candids=[d.candid for d in ordered])
        names = {detection.candid: detection.object_id for detection in named}
        nameless = [d for d in ordered if d.candid not in names]
        founded = _match(nameless, KnownObjects(_near(ledger, nameless, radius_arcsec)), radius_arcsec, names)
        called = _add_objects(ledger, founded, prefix)
        names = {candid: called.get(name, name) for candid, name in names.items()}
        alert_queries.count_detections(
            ledger, names=[names[d.candid] for d in nameless], times=[d.shutter_open for d in nameless]
        )
        alert_queries.set_objects(
            ledger, candids=[d.candid for d in ordered], times=[d.shutter_open for d in ordered],
            names=[names[d.candid] for d in ordered],
        )  # fmt: skip
    return names


def _match(
    detections: Sequence[Candidate], known: KnownObjects, radius_arcsec: float, names: dict[int, str]
) -> dict[str, Candidate]:
    """Give each detection the name of its object in `names`; return those that founded one, by a makeshift name."""
    founded = {}
    for detection in detections:
        found = known.nearest(detection.ra_deg, detection.dec_deg, radius_arcsec)
        if found is None:
            found = SkyObject(f"new {detection.candid}", detection.ra_deg, detection.dec_deg)
            known.add(found)
            founded[found.object_id] = detection
        names[detection.candid] = found.object_id
    return founded


def _add_objects(ledger: Ledger, founded: dict[str, Candidate], prefix: str) -> dict[str, str]:
    """Add new objects, each under the first of its names that is free; return their names by the makeshift ones."""
    names = {makeshift: object_names(prefix, d.candid, d.shutter_open) for makeshift, d in founded.items()}
    called: dict[str, str] = {}
    while missing := [makeshift for makeshift in founded if makeshift not in called]:
        detections = [founded[makeshift] for makeshift in missing]
        added = alert_queries.add_objects(
            ledger,
            names=[next(names[makeshift]) for makeshift in missing], sites=[d.site for d in detections],
            ras=[d.ra_deg for d in detections], decs=[d.dec_deg for d in detections],
            candids=[d.candid for d in detections], times=[d.shutter_open for d in detections],
        )  # fmt: skip
        free = {new.first_candid: new.object_id for new in added}
        called |= {m: free[d.candid] for m, d in zip(missing, detections, strict=True) if d.candid in free}
    return called


def windows_of(places: Sequence[tuple[float, float]], radius_arcsec: float) -> Windows:
    """Return the search windows of many places as the columns that the ledger's queries take.

    Parameters
    ----------
    places : sequence of (ra, dec)
        Degrees. A window's ``item`` is the index of its place.
    """
    rows = [(i, *window) for i, place in enumerate(places) for window in search_windows(*place, radius_arcsec)]
    items, zones, lows, highs = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    return {"items": items, "zones": zones, "lows": lows, "highs": highs}


def _near(ledger: Ledger, detections: Sequence[Candidate], radius_arcsec: float) -> list[SkyObject]:
    windows = windows_of([(d.ra_deg, d.dec_deg) for d in detections], radius_arcsec)
    return alert_queries.objects_in_windows(ledger, **windows)
