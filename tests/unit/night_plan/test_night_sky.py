"""Where the Sun, the Moon and the fields stand, against astropy."""

import warnings
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given
from hypothesis import strategies as st

from nightshift.night_plan.night_sky import airmass, altitudes_deg, dark_time, moon_at
from nightshift.nights import night_bounds
from nightshift.settings import load_deployment, load_survey
from nightshift.sun import sun_altitude_deg

SITES = [load_survey("demo").site, *(survey.site for survey in load_deployment("network").surveys)]
NIGHTS = st.dates(date(2015, 1, 1), date(2035, 1, 1))
SITE = st.sampled_from(SITES)


@pytest.fixture(autouse=True)
def offline():
    with iers.conf.set_temp("auto_download", False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def seen_from(site, moment):
    place = EarthLocation(site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.elevation_m * u.m)
    return AltAz(obstime=Time(moment), location=place)


@pytest.mark.parametrize("site", SITES[:2], ids=lambda site: site.name)
@pytest.mark.parametrize("days", [0, 7, 14, 21, 200])
def test_the_moon_is_where_astropy_has_it(site, days):
    moment = datetime(2022, 3, 1, 4, tzinfo=UTC) + timedelta(days=days)
    frame = seen_from(site, moment)
    moon, sun = get_body("moon", frame.obstime, frame.location), get_body("sun", frame.obstime, frame.location)
    found = moon_at(site, moment)
    assert found.altitude_deg == pytest.approx(moon.transform_to(frame).alt.deg, abs=0.6)
    elongation = moon.separation(SkyCoord(sun.ra, sun.dec, frame="gcrs")).rad
    assert found.illuminated == pytest.approx((1 - np.cos(elongation)) / 2, abs=0.02)


def test_a_field_is_as_high_as_astropy_has_it():
    moment = datetime(2022, 3, 1, 8, tzinfo=UTC)
    ra, dec = np.array([150.1, 0.02, 200.0]), np.array([22.2, -1.5, 60.0])
    for site in SITES[:2]:
        expected = SkyCoord(ra * u.deg, dec * u.deg).transform_to(seen_from(site, moment)).alt.deg
        assert altitudes_deg(site, moment, ra, dec) == pytest.approx(expected, abs=0.4)


def test_airmass_is_one_overhead_and_infinite_below_the_horizon():
    masses = airmass(np.array([90.0, 30.0, 0.0, -5.0]))
    assert masses[0] == pytest.approx(1.0, abs=0.001)
    assert masses[1] == pytest.approx(1.99, abs=0.02)
    assert np.isinf(masses[2:]).all()


@given(SITE, NIGHTS, st.sampled_from([-6.0, -12.0, -18.0]))
def test_the_dark_lies_within_the_night_and_the_sun_is_as_low_as_it_says(site, night, altitude):
    found, (first, last) = dark_time(site, night, altitude), night_bounds(site, night)
    assert found.begins is not None and found.ends is not None  # at these latitudes
    assert first < found.begins < found.ends < last
    for moment in (found.begins, found.ends):
        assert sun_altitude_deg(site, moment) == pytest.approx(altitude, abs=0.1)
    assert sun_altitude_deg(site, found.begins + (found.ends - found.begins) / 2) < altitude


@given(SITE, NIGHTS)
def test_the_twilights_lie_one_within_the_other(site, night):
    civil, nautical, astronomical = (dark_time(site, night, altitude) for altitude in (-6.0, -12.0, -18.0))
    assert civil.begins < nautical.begins < astronomical.begins < astronomical.ends < nautical.ends < civil.ends


def test_where_the_sun_never_sets_there_is_no_dark_and_where_it_never_rises_all_is():
    north = SITES[0].model_copy(update={"latitude_deg": 78.0, "longitude_deg": 15.0, "time_zone": "UTC"})
    summer = dark_time(north, date(2026, 6, 21), -6.0)
    assert (summer.begins, summer.ends) == (None, None)
    winter = dark_time(north, date(2026, 12, 21), -6.0)
    assert winter.begins == night_bounds(north, date(2026, 12, 21))[0]
    assert winter.ends == night_bounds(north, date(2026, 12, 21))[1]
