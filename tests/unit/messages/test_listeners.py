"""Who hears of what: the first rule that fits decides, and somebody is on call in every night of a rota."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nightshift.messages.listeners import Listeners, Said
from nightshift.messages.who_hears import lines
from nightshift.settings import load_deployment
from nightshift.settings.messages import MessageSettings
from nightshift.vocabulary import EventLevel

NOON = datetime(2026, 1, 15, 20, tzinfo=UTC)
PEOPLE = {
    "channels": [
        {"name": "phone", "kind": "apprise", "variable": "PHONE_URL"},
        {"name": "mail", "kind": "mail", "to": ["mira@example.org"]},
        {"name": "chat", "kind": "webhook", "variable": "CHAT_URL"},
    ],
    "people": [
        {"name": "mira", "channels": ["phone", "mail"]},
        {"name": "jon", "channels": ["mail"]},
        {"name": "room", "channels": ["chat"]},
    ],
}


def listeners(survey: str = "demo", **settings) -> Listeners:
    deployment = load_deployment(survey)
    own = MessageSettings.model_validate(settings)
    return Listeners.of(deployment.with_surveys(s.model_copy(update={"messages": own}) for s in deployment.surveys))


def heard(found: Listeners, level: EventLevel, kind: str = "unit_failed", site: str = "", *, night_open=True):
    site = site or next(iter(found.sites))
    rule = found.rule_for(Said(level, kind, site), night_open=night_open)
    return () if rule is None else found.hear(rule, site, NOON)


def test_without_settings_mail_to_hears_what_calls_somebody_and_nothing_else():
    found = listeners()
    assert heard(found, EventLevel.PAGE) == ("mail_to",)
    assert all(heard(found, level) == () for level in EventLevel if level is not EventLevel.PAGE)


def test_without_settings_each_site_has_its_own_mail_and_what_is_of_no_site_goes_to_all():
    found = listeners("network")
    assert heard(found, EventLevel.PAGE, site="north") == ("mail_to-north",)
    rule = found.rule_for(Said(EventLevel.PAGE, "part_dead"), night_open=False)
    assert set(found.hear(rule, "", NOON)) == {"mail_to-north", "mail_to-south"}


@pytest.mark.parametrize(
    ("subject", "site"),
    [("north/20260115", "north"), ("south_wide/1/d01", "south"), ("depot", ""), ("", ""), ("nobody/1", "")],
)
def test_the_site_of_an_event_is_known_by_its_subject(subject, site):
    assert listeners("network").site_of(subject) == site


def test_the_first_rule_that_fits_decides_and_never_means_nobody():
    found = listeners(
        **PEOPLE,
        rules=[
            {"kinds": ["clock_stepped"], "tell": "never"},
            {"levels": ["page"], "night": "open", "to": ["on_call", "room"]},
            {"levels": ["page", "error"], "to": ["room"]},
        ],
        on_call={"weekly": ["jon"]},
    )
    assert heard(found, EventLevel.PAGE) == ("jon", "room")
    assert heard(found, EventLevel.PAGE, night_open=False) == ("room",)
    assert heard(found, EventLevel.PAGE, "clock_stepped") == ()
    assert heard(found, EventLevel.WARNING) == ()


@given(st.integers(0, 3000))
def test_a_weekly_rota_gives_a_week_each_in_turn_and_the_others_come_after(day):
    since = date(2026, 1, 5)
    found = listeners(**PEOPLE, on_call={"weekly": ["mira", "jon", "room"], "since": str(since)})
    order = found.on_call("", datetime(2026, 1, 6, 2, tzinfo=UTC) + timedelta(days=day))
    assert sorted(order) == ["jon", "mira", "room"]
    assert order[0] == ["mira", "jon", "room"][day // 7 % 3]


def test_dates_hold_over_the_rota_and_a_night_is_the_date_of_its_evening():
    dates = [{"first": "2026-01-10", "last": "2026-01-20", "people": ["room"]},
             {"first": "2026-01-15", "last": "2026-01-15", "people": ["jon", "mira"]}]  # fmt: skip
    found = listeners(**PEOPLE, on_call={"weekly": ["mira"], "dates": dates})
    before_dawn = datetime(2026, 1, 16, 12, tzinfo=UTC)  # 5 o'clock at the site, still the night of the 15th
    assert found.on_call("", before_dawn) == ("jon", "mira")
    assert found.on_call("", before_dawn + timedelta(hours=10)) == ("room",)
    assert found.on_call("", before_dawn + timedelta(days=9)) == ("mira",)


def test_a_rules_channel_comes_before_the_persons_own():
    found = listeners(**PEOPLE)
    assert [channel.name for channel in found.channels_for("mira")] == ["phone", "mail"]
    assert [channel.name for channel in found.channels_for("mira", "chat")] == ["chat", "phone", "mail"]
    assert {channel.name for channel in found.channels_for("somebody who left")} == {"phone", "mail", "chat"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"channels": [{"name": "a", "kind": "webhook", "variable": "https://hooks.example.org/secret"}]},
            "variable",
        ),
        ({"channels": [{"name": "a", "kind": "webhook"}]}, "needs variable"),
        ({"channels": [{"name": "a", "kind": "mail"}]}, "needs to"),
        ({"people": [{"name": "mira", "channels": ["phone"]}]}, "no channel 'phone'"),
        ({"people": [{"name": "on_call", "channels": ["phone"]}]}, "whoever is on call"),
        ({**PEOPLE, "on_call": {"weekly": ["mirra"]}}, "no person 'mirra'"),
        ({**PEOPLE, "rules": [{"to": ["nobody"]}]}, "no person 'nobody'"),
        ({**PEOPLE, "rules": [{"kinds": ["unit_faild"]}]}, "no kind of event"),
        ({**PEOPLE, "channels": [*PEOPLE["channels"], PEOPLE["channels"][0]]}, "two entries"),
        ({"on_call": {"dates": [{"first": "2026-02-02", "last": "2026-02-01", "people": ["mira"]}]}}, "before first"),
    ],
)
def test_what_cannot_work_is_refused_with_what_is_wrong(settings, says):
    with pytest.raises(ValidationError, match=says):
        MessageSettings.model_validate(settings)


def test_the_page_of_who_hears_says_who_is_on_call_each_level_and_no_secret():
    found = listeners(**PEOPLE, rules=[{"levels": ["page"], "quiet_hours": ["00:00", "23:59"]}])
    text = "\n".join(lines(found, ["demo"], NOON))
    for part in (
        "demo, with an open night",
        "on call: mira, then jon, then room",
        "page: mira at once; quiet now",
        "error: nobody; the morning's mail",
        "channel chat: webhook to the URL in CHAT_URL; of room",
    ):
        assert part in text
