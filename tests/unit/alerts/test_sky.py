"""The windows of a search hold every match, across right ascension zero and at the poles."""

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from nightshift.alerts.associate import KnownObjects
from nightshift.alerts.cone_search import footprints_cover, search_windows, separation_arcsec, zone_of
from nightshift.ledger.queries.alerts import SkyObject

RADIUS = 1.5
ra = st.one_of(st.floats(0, 360, exclude_max=True), st.floats(0, 0.01), st.floats(359.99, 360, exclude_max=True))
dec = st.one_of(st.floats(-90, 90), st.floats(89.99, 90), st.floats(-90, -89.99), st.floats(-0.01, 0.01))
angle = st.floats(0, 2 * math.pi)


def offset(ra_deg, dec_deg, distance_arcsec, position_angle):
    """Return the place at a distance and position angle from another, on the sphere."""
    d, lat = math.radians(distance_arcsec / 3600), math.radians(dec_deg)
    sin_lat = math.sin(lat) * math.cos(d) + math.cos(lat) * math.sin(d) * math.cos(position_angle)
    east = math.sin(position_angle) * math.sin(d) * math.cos(lat)
    north = math.cos(d) - math.sin(lat) * sin_lat
    new_ra = (ra_deg + math.degrees(math.atan2(east, north))) % 360
    return (0.0 if new_ra >= 360 else new_ra), math.degrees(math.asin(max(-1.0, min(1.0, sin_lat))))


@given(ra, dec, st.floats(0, RADIUS), angle)
def test_whatever_lies_within_the_radius_lies_in_a_window(ra_deg, dec_deg, distance, direction):
    there = offset(ra_deg, dec_deg, distance, direction)
    assume(separation_arcsec(ra_deg, dec_deg, *there) <= RADIUS)
    windows = search_windows(ra_deg, dec_deg, RADIUS)
    assert any(w.zone == zone_of(there[1]) and w.ra_from <= there[0] <= w.ra_to for w in windows)
    assert len(windows) <= 4


@given(ra, dec, st.lists(st.tuples(st.floats(0, 4), angle), min_size=1, max_size=8))
def test_the_nearest_object_is_found_as_by_looking_at_all(ra_deg, dec_deg, offsets):
    objects = [SkyObject(f"o{i}", *offset(ra_deg, dec_deg, *there)) for i, there in enumerate(offsets)]
    separations = {o.object_id: separation_arcsec(ra_deg, dec_deg, o.ra_deg, o.dec_deg) for o in objects}
    found = KnownObjects(objects).nearest(ra_deg, dec_deg, RADIUS)
    nearest = min(separations.values())
    if found is None:
        assert nearest > RADIUS
    else:
        assert separations[found.object_id] == nearest <= RADIUS


@given(dec)
def test_the_separation_of_a_small_step_in_declination_is_that_step(dec_deg):
    other = dec_deg + 1 / 3600 if dec_deg < 0 else dec_deg - 1 / 3600
    assert math.isclose(separation_arcsec(10.0, dec_deg, 10.0, other), 1.0, rel_tol=1e-6)


@given(st.floats(0, 360, exclude_max=True), st.floats(-80, 80), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_a_footprint_covers_what_is_inside_wherever_it_lies(ra_deg, dec_deg, across, along):
    half = 0.25
    stretch = math.cos(math.radians(dec_deg))
    corners = [
        ((ra_deg + x * half / stretch) % 360, dec_deg + y * half) for x, y in ((1, -1), (-1, -1), (-1, 1), (1, 1))
    ]
    inside = ((ra_deg + across * half / stretch) % 360, dec_deg + along * half)
    outside = ((ra_deg + 3 * half / stretch) % 360, dec_deg)
    antipode = ((ra_deg + 180) % 360, -dec_deg)
    for order in (corners, corners[::-1]):
        assert footprints_cover(np.array([order]), np.array([inside, outside, antipode])).tolist() == [
            [True, False, False]
        ]
