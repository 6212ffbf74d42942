"""The linker finds what moves straight, and nothing else."""

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.moving.linking import Detections, LinkSettings, link

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
ASTEROIDS = DATA / "moving-objects" / "ztf-asteroids.csv"


def night(tracks=4, visits=8, noise=15, statics=5, seed=1, ra0=0.01, dec0=-1.5, hours=4.0):
    """Return detections and the name of each: movers, static sources and noise in one field."""
    random = np.random.default_rng(seed)
    rows, names = [], []
    times = 60000.3 + np.arange(visits) * hours / 24 / visits
    places = random.uniform(-0.1, 0.1, (tracks + statics, 2))
    rates = random.uniform(0.1, 1.0, tracks)
    angles = random.uniform(0, 2 * np.pi, tracks)
    error = 0.1 / 3600
    for number, time in enumerate(times):
        after = time - times[0]
        for k, (east, north) in enumerate(places):
            if k < tracks:
                east, north = (
                    east + rates[k] * after * np.sin(angles[k]),
                    north + rates[k] * after * np.cos(angles[k]),
                )
            rows.append((time, east + random.normal(0, error), north + random.normal(0, error), number))
            names.append(f"mover {k}" if k < tracks else f"static {k}")
        for east, north in random.uniform(-0.15, 0.15, (noise, 2)):
            rows.append((time, east, north, number))
            names.append("noise")
    time, east, north, number = (np.array(column) for column in zip(*rows, strict=True))
    dec = dec0 + north
    ra = (ra0 + east / np.cos(np.radians(dec))) % 360
    return Detections(time, ra, dec, [f"cam/{int(n)}" for n in number]), names, rates, np.degrees(angles)


def test_every_planted_mover_is_one_pure_tracklet_and_static_sources_are_none():
    detections, names, rates, angles = night()
    tracklets = link(detections)
    found = {}
    for tracklet in tracklets:
        called = {names[k] for k in tracklet.members}
        assert len(called) == 1
        name = called.pop()
        assert name.startswith("mover") and name not in found
        found[name] = tracklet
    assert len(found) == 4
    for k in range(4):
        tracklet = found[f"mover {k}"]
        assert len(tracklet.members) == 8
        assert tracklet.rate_deg_per_day == pytest.approx(rates[k], rel=0.02)
        assert abs((tracklet.position_angle_deg - angles[k] + 180) % 360 - 180) < 2
        assert tracklet.residual_arcsec < 0.3


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_the_order_of_detections_does_not_matter(seed):
    detections, _, _, _ = night(tracks=3, visits=6, noise=5)
    shuffled = np.random.default_rng(seed).permutation(len(detections))
    again = Detections(
        detections.mjd[shuffled],
        detections.ra[shuffled],
        detections.dec[shuffled],
        [detections.exposure[k] for k in shuffled],
    )
    plain = [(t.members, t.rate_deg_per_day) for t in link(detections)]
    other = [(tuple(int(shuffled[k]) for k in t.members), t.rate_deg_per_day) for t in link(again)]
    assert plain == other


def test_members_come_from_different_exposures():
    detections, _, _, _ = night(noise=40, seed=5)
    for tracklet in link(detections, LinkSettings(residual_arcsec=3.0)):
        exposures = [detections.exposure[k] for k in tracklet.members]
        assert len(set(exposures)) == len(exposures)


def test_too_few_or_too_slow_or_too_fast_is_no_tracklet():
    detections, _, rates, _ = night(tracks=1, visits=3, noise=0, statics=0)
    assert link(detections, LinkSettings(at_least_detections=4)) == ()
    assert len(link(detections, LinkSettings(at_least_detections=3))) == 1
    assert link(detections, LinkSettings(3, (rates[0] * 1.1, 5.0))) == ()
    assert link(detections, LinkSettings(3, (0.001, rates[0] * 0.9))) == ()


def test_a_bent_path_is_no_tracklet():
    detections, _, _, _ = night(tracks=1, noise=0, statics=0)
    bent = np.linspace(-1, 1, len(detections)) ** 2 * 20 / 3600
    turned = Detections(detections.mjd, detections.ra, detections.dec + bent, detections.exposure)
    assert all(len(t.members) < 8 for t in link(turned))


def test_detections_of_one_moment_are_no_tracklet():
    same = np.full(6, 60000.0)
    ra = 10 + np.arange(6) * 1e-3
    assert link(Detections(same, ra, np.zeros(6), [str(k) for k in range(6)])) == ()


def test_near_the_pole_motion_is_straight_all_the_same():
    detections, names, _, _ = night(dec0=88.5, ra0=300.0, noise=5)
    tracklets = link(detections)
    assert sorted(names[t.members[0]] for t in tracklets) == [f"mover {k}" for k in range(4)]


@pytest.mark.skipif(not ASTEROIDS.exists(), reason=f"real detections are absent: {ASTEROIDS} (set NIGHTSHIFT_DATA)")
def test_real_asteroids_of_two_nights_are_linked_completely_and_purely():
    rows = list(csv.DictReader(ASTEROIDS.open()))
    for number in ("1219", "1221"):
        chosen = [row for row in rows if row["nid"] == number]
        columns = [np.array([float(row[name]) for row in chosen]) for name in ("jd", "ra", "dec")]
        detections = Detections(columns[0] - 2400000.5, columns[1], columns[2], [row["jd"] for row in chosen])
        names = [row["ssnamenr"] for row in chosen]
        times = defaultdict(set)
        for row in chosen:
            times[row["ssnamenr"]].add(row["jd"])
        possible = {name for name, seen in times.items() if len(seen) >= 3}
        tracklets = link(detections, LinkSettings(3, (0.005, 5.0)))
        pure = [t for t in tracklets if len({names[k] for k in t.members}) == 1]
        assert len(pure) >= 0.98 * len(tracklets)
        assert len({names[t.members[0]] for t in pure} & possible) >= 0.95 * len(possible)
