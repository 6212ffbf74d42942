"""Score a night's alerts against what the simulator put into the sky."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rehearsal.simulator.ephemeris import julian_date
from rehearsal.simulator.geometry import deproject

__all__ = ["NightScore", "score_night"]

MATCH_ARCSEC = 2.0
TRACKLET_ARCSEC = 5.0
SIGNAL_TO_NOISE = 8.0
EDGE_PX = 5.0
MEMBERS_AT_LEAST = 3

Unit = tuple[str, int, int]
Differenced = Collection[str] | Collection[Unit]


@dataclass(frozen=True)
class NightScore:
    """How well a night's alerts tell what happened.

    Parameters
    ----------
    transient_appearances, transients_recovered : int
        Of injected transients above S/N 8 on unmasked pixels of differenced frames, and how many of these have an
        alert.
    variable_appearances, variables_recovered : int
        The same for variable stars.
    alerts, true_alerts, false_alerts : int
        An alert is true if a transient, variable or moving object that shone in its exposure is within 2".
    movers, movers_found : int
        Moving objects with at least three appearances in differenced frames, and how many have a tracklet.
    unplaced_alerts : int
        Alerts whose time is that of no exposure; counted as false, too.
    missed : tuple of str
        What was not recovered, as ``<name> <exposure> S/N <number>``.
    """

    transient_appearances: int
    transients_recovered: int
    variable_appearances: int
    variables_recovered: int
    alerts: int
    true_alerts: int
    false_alerts: int
    movers: int
    movers_found: int
    unplaced_alerts: int
    missed: tuple[str, ...]

    @property
    def completeness(self) -> float:
        """The recovered share of the transients' appearances; 1 where there were none."""
        return self.transients_recovered / self.transient_appearances if self.transient_appearances else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return all numbers as plain values."""
        return {**asdict(self), "missed": list(self.missed), "completeness": self.completeness}


@dataclass(frozen=True)
class _Truth:
    exposures: list[dict[str, Any]]
    transients: list[dict[str, Any]]
    movers: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "_Truth":
        night, transients, movers = (
            json.loads((folder / f"{name}.json").read_text()) for name in ("night", "transients", "movers")
        )
        return cls([e for e in night["exposures"] if e["image_type"] == "science"], transients, movers)


def score_night(
    truth: Path,
    alerts: Sequence[Mapping[str, Any]],
    differenced: Differenced | None = None,
    *,
    tracklets: Iterable[Mapping[str, Any]] = (),
) -> NightScore:
    """Compare alerts with the truth.

    Parameters
    ----------
    truth : Path
        The simulated night's folder ``truth``.
    alerts : sequence of mappings
        Each with `ra`, `dec` (degrees) and `jd` (UTC, shutter open); `candid` where tracklets name their members.
        Rows of the ledger and packets of the consumer serve alike.
    differenced : collection, optional
        What was differenced: exposure ids, texts of unit keys, or (exposure id, detector, quadrant). None: all.
    tracklets : iterable of mappings
        Each with `members` (a list of mappings with `candid`), or with `ra_deg`, `dec_deg`, `begins_mjd`, `ends_mjd`.
    """
    night = _Truth.read(truth)
    placed = [_exposure_of(night, alert) for alert in alerts]
    by_exposure: dict[str, list[Mapping[str, Any]]] = {}
    for alert, exposure in zip(alerts, placed, strict=True):
        by_exposure.setdefault(exposure or "", []).append(alert)
    counts = {"transient": [0, 0], "variable": [0, 0]}
    missed = []
    for riser in night.transients:
        for row in _eligible(riser["appearances"], differenced):
            found = _near(row, by_exposure.get(row["exposure_id"], ())).any()
            counts[riser["kind"]][0] += 1
            counts[riser["kind"]][1] += bool(found)
            if not found:
                missed.append(f"{riser['name']} {row['exposure_id']} S/N {row['signal_to_noise']:.1f}")
    true = sum(_is_true(alert, exposure, night) for alert, exposure in zip(alerts, placed, strict=True))
    movers = [m for m in night.movers if len(_in(m["appearances"], differenced)) >= MEMBERS_AT_LEAST]
    known = {str(a["candid"]): (a, e) for a, e in zip(alerts, placed, strict=True) if "candid" in a}
    tracks = list(tracklets)
    return NightScore(
        transient_appearances=counts["transient"][0],
        transients_recovered=counts["transient"][1],
        variable_appearances=counts["variable"][0],
        variables_recovered=counts["variable"][1],
        alerts=len(alerts),
        true_alerts=true,
        false_alerts=len(alerts) - true,
        movers=len(movers),
        movers_found=sum(any(_is_track_of(track, mover, known) for track in tracks) for mover in movers),
        unplaced_alerts=len(by_exposure.get("", ())),
        missed=tuple(missed),
    )


def _exposure_of(night: _Truth, alert: Mapping[str, Any]) -> str | None:
    """The exposure whose shutter opened closest to the alert's time, if within half the exposure or 5 s."""
    distances = [
        (abs(julian_date(datetime.fromisoformat(e["shutter_open"])) - float(alert["jd"])) * 86400, e)
        for e in night.exposures
    ]
    nearest, exposure = min(distances, key=lambda d: d[0])
    return exposure["exposure_id"] if nearest <= max(5.0, exposure["exposure_s"] / 2) + 0.1 else None


def _in(rows: Iterable[dict[str, Any]], differenced: Differenced | None) -> list[dict[str, Any]]:
    if differenced is None:
        return list(rows)
    wanted = {_unit(d) for d in differenced}
    return [
        r for r in rows if r["exposure_id"] in wanted or (r["exposure_id"], r["detector"], r["quadrant"]) in wanted
    ]


def _unit(item: str | Unit) -> str | Unit:
    if not isinstance(item, str) or "/" not in item:
        return item if isinstance(item, str) else (item[0], int(item[1]), int(item[2]))
    _, exposure_id, *rest = item.split("/")
    return (exposure_id, int(rest[0][1:]), int(rest[1][1:])) if len(rest) >= 2 else exposure_id


def _eligible(rows: Iterable[dict[str, Any]], differenced: Differenced | None) -> list[dict[str, Any]]:
    return [
        r
        for r in _in(rows, differenced)
        if r["signal_to_noise"] > SIGNAL_TO_NOISE and r["bad_pixels"] == 0 and r["edge_px"] >= EDGE_PX
    ]


def _separation_arcsec(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> np.ndarray:
    a1, d1, a2, d2 = (np.radians(np.asarray(v, dtype=float)) for v in (ra1, dec1, ra2, dec2))
    half = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin((a2 - a1) / 2) ** 2
    separation: np.ndarray = np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600
    return separation


def _near(row: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Whether each alert is where the row says. Alerts have `ra` and `dec`; rows have `ra_deg` and `dec_deg`."""
    ra, dec = [a["ra"] for a in alerts], [a["dec"] for a in alerts]
    return _separation_arcsec(row["ra_deg"], row["dec_deg"], ra, dec) <= MATCH_ARCSEC


def _is_true(alert: Mapping[str, Any], exposure: str | None, night: _Truth) -> bool:
    return any(
        row["exposure_id"] == exposure and bool(_near(row, [alert])[0])
        for thing in (*night.transients, *night.movers)
        for row in thing["appearances"]
    )


def _is_track_of(track: Mapping[str, Any], mover: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether most members, and at least three, are the mover; without members, whether it is in its place."""
    members = [known[str(m["candid"])] for m in track.get("members", ()) if str(m["candid"]) in known]
    if members:
        places = {row["exposure_id"]: row for row in mover["appearances"]}
        own = sum(bool(_near(places[e], [a])[0]) for a, e in members if e in places)
        return own >= MEMBERS_AT_LEAST and 2 * own > len(members)
    epoch = julian_date(datetime.fromisoformat(mover["epoch"])) - 2400000.5
    begins, ends = float(track["begins_mjd"]), float(track["ends_mjd"])
    hours = (np.array([begins, 0.5 * (begins + ends)]) - epoch) * 24
    ra, dec = deproject(
        mover["east_arcsec"] + mover["rate_east"] * hours,
        mover["north_arcsec"] + mover["rate_north"] * hours,
        *mover["field_centre"],
    )
    return bool((_separation_arcsec(ra, dec, track["ra_deg"], track["dec_deg"]) <= TRACKLET_ARCSEC).any())
