"""What is wrong with an open night is noticed, told once, and its end is told once."""

from datetime import UTC, datetime, timedelta

import pytest
from night_rows import CAMERA, FIRST, NIGHT

from nightshift.keys import UnitKey
from nightshift.ledger.queries import calendar as calendar_queries
from nightshift.night_watch import look, look_at_open_night
from nightshift.night_watch.watches import Watch
from nightshift.nights import night_bounds
from nightshift.vocabulary import CalendarKind, EventLevel

pytestmark = pytest.mark.integration

DARK = datetime(2026, 1, 16, 6, 0, tzinfo=UTC)
NOON = datetime(2026, 1, 15, 20, 30, tzinfo=UTC)
GOOD = {"good": True, "fwhm_px": 2.0, "background": 300.0, "zero_point_zenith": 23.2, "thousands_fraction": 0.0}


@pytest.fixture
def watched(night):
    """An open night, looked at in the dark; what is looked at came just now unless a test says otherwise."""
    night.context.clock.moment = DARK
    return night


def look_again(night, *, came_ago_s=120.0):
    """Look, as if the last look were long ago and the last frame had come so many seconds ago."""
    night.query("update night_looks set looked_at = now() - interval '1 hour'")
    night.query("update exposures set last_arrival_at = now() - make_interval(secs => %s)", came_ago_s)
    return look_at_open_night(night.context)


def told(night):
    """Return kind and subject of every event, in order."""
    return [
        (row["kind"], row["subject"]) for row in night.query("select kind, subject from events order by event_id")
    ]


def images(night, numbers, *, detectors=(1, 2), **quality):
    for number in numbers:
        for detector in detectors:
            night.frame(number, detector)
            night.unit(number, detector, quality=GOOD | quality)


def nights_before(night, *zero_points):
    """The nights before measured these zero points, and everything else as is good."""
    for back, zero_point in enumerate(zero_points, start=1):
        earlier, exposure = NIGHT - timedelta(days=back), f"{1000 + back:014d}"
        key = UnitKey(CAMERA, exposure, 1, 1)
        begins, ends = night_bounds(night.context.survey.site, earlier)
        night.insert("nights", site=night.site, night=earlier, begins=begins, ends=ends, state="closed")
        night.insert(
            "exposures", instrument=CAMERA, exposure_id=exposure, site=night.site, night=earlier, ut_day=earlier,
            image_type="science", field=101, filter="g", exposure_s=30.0, shutter_open=FIRST - timedelta(days=back),
            detectors_expected=[1, 2], state="ended",
        )  # fmt: skip
        night.insert(
            "units", instrument=CAMERA, exposure_id=exposure, detector=1, quadrant=1, night=earlier,
            unit_key=str(key), state="processed", ended_at=FIRST,
        )  # fmt: skip
        measured = {name: value for name, value in GOOD.items() if name != "good"} | {"zero_point_zenith": zero_point}
        night.context.ledger.run(
            "science", "put_measurements", unit_key=str(key), instrument=CAMERA, exposure_id=exposure, detector=1,
            quadrant=1, good=True, warnings=[], corners_deg=None, names=list(measured),
            numbers=list(measured.values()),
        )  # fmt: skip


def test_a_night_as_usual_says_nothing(watched):
    nights_before(watched, 23.1, 23.3)
    images(watched, range(6))
    assert look_again(watched) == [] and told(watched) == []


def test_no_file_in_the_dark_is_told_once_and_so_is_its_end(watched):
    images(watched, [1])
    for _ in range(2):
        (message,) = look_again(watched, came_ago_s=2400)
        assert message == "No frame of demo has come for 40 minutes."
    assert look_again(watched) == []
    assert told(watched) == [("no_files", "demo"), ("files_come", "demo")]


@pytest.mark.parametrize("why", ["it is day", "downtime is announced"])
def test_no_file_is_awaited_when(watched, why):
    images(watched, [1])
    if why == "it is day":
        watched.context.clock.moment = NOON
    else:
        calendar_queries.put_entry(
            watched.context.ledger, kind=CalendarKind.DOWNTIME, site="demo", instrument=None, detector=None,
            begins=DARK - timedelta(hours=1), ends=None, reason="mirror", announced=True, operator="mira",
        )  # fmt: skip
    assert look_again(watched, came_ago_s=7200) == []


def test_two_looks_at_once_are_one(watched):
    images(watched, [1])
    watched.query("update exposures set last_arrival_at = now() - interval '1 hour'")
    assert look_at_open_night(watched.context) != []
    watched.query("delete from night_alarms")
    assert look_at_open_night(watched.context) == []


def test_a_detector_of_which_nothing_comes(watched):
    images(watched, range(6), detectors=(1,))
    assert look_again(watched) == ["Detector democam/d02 sent no frame of the last 6 exposures."]
    images(watched, [7])
    assert look_again(watched) == []
    assert told(watched) == [("detector_silent", "democam/d02"), ("detector_heard", "democam/d02")]


@pytest.mark.parametrize(
    ("quality", "kind", "words"),
    [
        ({"zero_point_zenith": 22.4}, "clouds", "the zero point of democam g is 0.8 mag below"),
        ({"fwhm_px": 4.0}, "images_wide", "4.0 px wide (FWHM), usually 2.0"),
        ({"background": 2000.0}, "sky_bright", "2000 e⁻ a pixel, usually 300"),
    ],
)
def test_images_that_are_not_as_usual(watched, quality, kind, words):
    nights_before(watched, 23.1, 23.2, 23.3)
    images(watched, range(6), **quality)
    (message,) = look_again(watched)
    assert words in message and told(watched) == [(kind, "democam g")]
    images(watched, range(10, 16))
    assert look_again(watched) == []


def test_what_is_usual_is_worked_out_once_a_night(watched, monkeypatch):
    nights_before(watched, 23.1)
    images(watched, range(6))
    look_again(watched)
    usual = watched.query("select name, median, nights from usual_measurements where name = 'zero_point_zenith'")
    assert usual == [{"name": "zero_point_zenith", "median": 23.1, "nights": 1}]
    from nightshift.night_watch import image_quality

    monkeypatch.delattr(image_quality, "report_queries")
    look_again(watched)
    assert told(watched) == []


def test_stars_that_do_not_match(watched):
    images(watched, range(4))
    for number in (5, 6):
        watched.frame(number)
        for quadrant in (1, 2):
            watched.unit(number, 1, quadrant, state="rejected", reason="astrometry_failed")
    (message,) = look_again(watched)
    assert message.startswith("Of the last 12 quadrants of democam the stars of 4 do not match")


def test_one_bad_exposure_is_told_in_the_morning(watched):
    images(watched, [1])
    watched.frame(2)
    for detector in (1, 2):
        for quadrant in (1, 2):
            watched.unit(2, detector, quadrant, state="rejected", reason="astrometry_failed")
    assert look_again(watched) == []


def test_a_camera_that_writes_only_the_value_1000(watched):
    images(watched, range(2), detectors=(1,))
    images(watched, range(2), detectors=(2,), thousands_fraction=0.98)
    (message,) = look_again(watched)
    assert message == (
        "At least 98% of the pixels of democam/d02 were exactly 1000 in the last 2 exposures: restart the camera."
    )


def test_when_the_night_is_no_longer_open_everything_is_over(watched):
    images(watched, range(6), detectors=(1,))
    look_again(watched)
    watched.query("update nights set state = 'closing', closing_since = now()")
    assert look_again(watched) == []
    assert told(watched)[-1] == ("detector_heard", "democam/d02")


def test_a_watch_that_fails_harms_no_other(watched, monkeypatch):
    def fails(_):
        raise ZeroDivisionError

    broken = Watch("clouds", "clouds_gone", "", EventLevel.PAGE, True, fails)
    monkeypatch.setattr(look, "registered_watches", lambda every=look.registered_watches: (broken, *every()))
    images(watched, range(6), detectors=(1,))
    assert len(look_again(watched)) == 1


def test_the_shutter_of_these_nights_opens_in_the_dark():
    assert FIRST.date() == DARK.date() and NOON.date() == NIGHT
