"""A night's score says what was found, what was missed and what was made up."""

import json
from datetime import datetime

import pytest

from rehearsal.simulator.detection_score import score_night
from rehearsal.simulator.ephemeris import julian_date


@pytest.fixture
def truth(tiny):
    read = {n: json.loads((tiny.made.truth / f"{n}.json").read_text()) for n in ("night", "transients", "movers")}
    opened = {e["exposure_id"]: julian_date(datetime.fromisoformat(e["shutter_open"]))
              for e in read["night"]["exposures"]}  # fmt: skip
    return read, opened


def alert_of(row, opened, candid):
    return {
        "ra": row["ra_deg"],
        "dec": row["dec_deg"] + 0.5 / 3600,
        "jd": opened[row["exposure_id"]],
        "candid": candid,
    }


def perfect(truth):
    read, opened = truth
    rows = [r for t in (*read["transients"], *read["movers"]) for r in t["appearances"]]
    return [alert_of(row, opened, k) for k, row in enumerate(rows)]


def test_all_alerts_that_should_come_score_full(tiny, truth):
    alerts = perfect(truth)
    score = score_night(tiny.made.truth, alerts)
    assert score.transient_appearances > 5
    assert score.completeness == 1.0 and score.false_alerts == 0 and score.missed == ()
    assert score.true_alerts == len(alerts)


def test_no_alerts_score_nothing(tiny):
    score = score_night(tiny.made.truth, [])
    assert score.completeness == 0.0 and score.alerts == 0
    assert len(score.missed) == score.transient_appearances + score.variable_appearances


def test_an_alert_in_a_wrong_place_or_time_is_false(tiny, truth):
    alert = perfect(truth)[0]
    elsewhere = {**alert, "dec": alert["dec"] + 5 / 3600}
    before = {**alert, "jd": truth[1][tiny.science[0].exposure_id]}
    noon = {**alert, "jd": alert["jd"] - 0.4}
    score = score_night(tiny.made.truth, [alert, elsewhere, before, noon])
    assert (score.true_alerts, score.false_alerts, score.unplaced_alerts) == (1, 3, 1)


def test_only_what_was_differenced_is_asked_for(tiny, truth):
    last = tiny.science[-1].exposure_id
    everything = score_night(tiny.made.truth, [])
    one = score_night(tiny.made.truth, [], [last])
    quadrants = [
        score_night(tiny.made.truth, [], [f"democam/{last}/d{d:02d}/q{q}/processed/live"]).transient_appearances
        for d in (1, 2)
        for q in (1, 2)
    ]
    assert 0 < one.transient_appearances < everything.transient_appearances
    assert sum(quadrants) == one.transient_appearances
    assert score_night(tiny.made.truth, [], [(last, 1, 1)]).transient_appearances == quadrants[0]


def test_a_mover_is_found_by_the_members_of_a_tracklet_or_by_its_place(tiny, truth):
    read, opened = truth
    mover, other = read["movers"][0], read["movers"][1]
    alerts = [alert_of(row, opened, k) for k, row in enumerate(mover["appearances"])]
    alerts += [alert_of(row, opened, 100 + k) for k, row in enumerate(other["appearances"])]
    whole = {"members": [{"candid": k} for k in range(4)]}
    mixed = {"members": [{"candid": 0}, {"candid": 1}, {"candid": 100}, {"candid": 101}]}
    score = score_night(tiny.made.truth, alerts, tracklets=[whole])
    assert (score.movers, score.movers_found) == (3, 1)
    assert score_night(tiny.made.truth, alerts, tracklets=[mixed]).movers_found == 0
    first, last = mover["appearances"][0], mover["appearances"][-1]
    placed = {"ra_deg": first["ra_deg"], "dec_deg": first["dec_deg"],
              "begins_mjd": opened[first["exposure_id"]] - 2400000.5 + 15 / 86400,
              "ends_mjd": opened[last["exposure_id"]] - 2400000.5}  # fmt: skip
    assert score_night(tiny.made.truth, [], tracklets=[placed]).movers_found == 1
    assert score_night(tiny.made.truth, [], tracklets=[{**placed, "dec_deg": 0.0}]).movers_found == 0
