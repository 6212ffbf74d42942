"""Sunset and sunrise, held against astropy's Sun."""

from datetime import date, timedelta

import astropy.units as u
import pytest
from astropy.coordinates import AltAz, EarthLocation, get_sun
from astropy.time import Time
from astropy.utils import iers

from nightshift.nights import night_bounds
from nightshift.settings import load_survey
from nightshift.settings.models import Site
from nightshift.sun import HORIZON_DEG, J2000, sidereal_angle_deg, sun_altitude_deg, sunset_and_sunrise

iers.conf.auto_download = False
iers.conf.auto_max_age = None  # the table that came with astropy may be of any age: a second of UT1 is nothing here
iers.conf.iers_degraded_accuracy = "ignore"


def site_at(latitude: float, longitude: float, zone: str = "UTC") -> Site:
    return Site(
        name="x", latitude_deg=latitude, longitude_deg=longitude, elevation_m=0, time_zone=zone,
        observatory_code="XXX", telescope="x",
    )  # fmt: skip


def astropy_altitude(site: Site, moment) -> float:
    place = EarthLocation(site.longitude_deg * u.deg, site.latitude_deg * u.deg)
    frame = AltAz(obstime=Time(moment.replace(tzinfo=None)), location=place)
    return get_sun(frame.obstime).transform_to(frame).alt.deg


@pytest.mark.parametrize("night", [date(2019, 3, 26), date(2026, 6, 21), date(2026, 12, 21), date(2035, 9, 23)])
@pytest.mark.parametrize("survey", ["demo", "lowell42", "ztf"])
def test_the_sun_is_at_the_horizon_when_we_say_so(survey, night):
    site = load_survey(survey).site
    for moment in sunset_and_sunrise(site, night):
        assert astropy_altitude(site, moment) == pytest.approx(HORIZON_DEG, abs=0.1)  # about half a minute
        assert sun_altitude_deg(site, moment) == pytest.approx(HORIZON_DEG, abs=0.01)


@pytest.mark.parametrize("night", [date(2026, 1, 10) + timedelta(days=40 * i) for i in range(9)])
def test_a_night_lies_between_its_noons_east_and_west_and_south(night):
    for place in (site_at(-30.2, -70.7, "America/Santiago"), site_at(-31.3, 149.1, "Australia/Sydney")):
        begins, ends = night_bounds(place, night)
        sunset, sunrise = sunset_and_sunrise(place, night)
        assert begins < sunset < sunrise < ends
        assert sun_altitude_deg(place, sunset + (sunrise - sunset) / 2) < -10


def test_where_the_sun_does_not_rise_or_set_nothing_is_made_up():
    assert sunset_and_sunrise(site_at(80, 0), date(2026, 6, 21)) is None
    assert sunset_and_sunrise(site_at(80, 0), date(2026, 12, 21)) is None


def test_the_sidereal_time_is_astropys():
    for day in (0, 3000, 9000):
        moment = J2000 + timedelta(days=day + 0.3)
        greenwich = Time(moment.replace(tzinfo=None)).sidereal_time("mean", "greenwich").deg
        assert abs((sidereal_angle_deg(moment) - greenwich + 180) % 360 - 180) < 0.02
