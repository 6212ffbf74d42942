"""From an event to a message that somebody has: told once, grouped, ended, passed on, and never lost."""

from datetime import timedelta

import pytest

from nightshift.errors import BadInput, NeedsOperator, Retry
from nightshift.ledger.queries import messages as message_queries
from nightshift.messages.acknowledging import acknowledge
from nightshift.settings.messages import MessageSettings
from nightshift.vocabulary import EventLevel, Reason

pytestmark = pytest.mark.integration

AWAY = Retry(Reason.INTERNAL_ERROR, "the relay does not answer")
HOUR = 3600.0


def test_without_settings_mail_to_hears_at_once_of_a_page_and_of_no_error(world):
    world.event(EventLevel.ERROR, "unit_failed", "Out of memory.", "democam/1/d01/q1")
    world.page()
    ((channel, letter),) = world.go()
    assert channel == "mail_to" and world.listeners.channels["mail_to"].to == ("operator@localhost",)
    assert letter.title == "Test survey: somebody must act: The depot is full."
    for part in ("depot", "To do: Mount it", "df -h", "nightshift messages acknowledge"):
        assert part in letter.body
    assert "Out of memory" not in letter.body
    assert world.go(12 * HOUR, 600) == []


def test_what_is_said_again_is_told_once_and_its_end_once(world):
    for _ in range(40):
        world.page()
    assert len(world.go()) == 1
    world.page()
    world.now += timedelta(minutes=12)
    world.event(EventLevel.INFO, "storage_back", "The depot can be used again; the night goes on.", "depot")
    ((_, letter),) = world.go(60)
    assert "over: The depot can be used again" in letter.title and "after" in letter.body
    assert world.go(12 * HOUR, 600) == []


def test_what_is_over_before_it_was_told_is_told_later_in_one_line(world):
    world.page()
    world.event(EventLevel.INFO, "storage_back", "The depot can be used again.", "depot")
    assert world.go(600) == []
    ((_, letter),) = world.go(HOUR)
    assert "The depot is full. The depot can be used again." in letter.body and "acknowledge" not in letter.body


def test_the_end_of_one_subject_does_not_end_another(world):
    world.page(subject="depot")
    world.page(subject="archive", text="The archive is gone.")
    world.go()
    world.event(EventLevel.INFO, "storage_back", "The depot can be used again.", "depot")
    world.round()
    assert [row["subject"] for row in world.query("select subject from troubles where ended_at is null")] == [
        "archive"
    ]


@pytest.mark.parametrize("steps", [1, 50])
def test_a_night_with_500_failing_frames_makes_at_most_three_messages(on_call, steps):
    """At once, or all through a night of ten hours; the chat room hears of every error."""
    for step in range(steps):
        for number in range(500 // steps):
            on_call.event(EventLevel.ERROR, "unit_failed", "Out of memory.", f"democam/{step}{number:03d}/d01/q1")
        on_call.go(10 * HOUR / steps, 600)
    on_call.go(2 * HOUR, 600)
    assert 1 <= len(on_call.sent) <= 3
    assert {channel for channel, _ in on_call.sent} == {"chat"}
    on_call.go(24 * HOUR, 1800)
    assert len(on_call.query("select from hearings where message_key is null")) == 0, "one was never told"
    counted = on_call.query("select count(*) as n from hearings where what = 'began'")
    assert counted[0]["n"] == 500


def test_a_storm_names_the_first_few_and_counts_the_rest(on_call):
    for number in range(500):
        on_call.event(EventLevel.ERROR, "unit_failed", "Out of memory.", f"democam/{number}/d01/q1")
    ((_, letter),) = on_call.go()
    assert "500 times. The last attempt at a unit failed." in letter.body
    assert letter.body.count("Out of memory") == 3 and "and 497 more" in letter.body
    assert len(letter.body) < 1500


def test_another_kind_does_not_wait_for_the_storm_to_pass(on_call):
    for minute in range(60):
        on_call.event(EventLevel.PAGE, "alerts_withheld", "A flood.", f"democam/{minute}/d01/q1")
        on_call.go(60)
    on_call.page()
    told = [letter for _, letter in on_call.go(900) if "The depot is full" in letter.body]
    assert told, "15 minutes later nobody knows of the depot"


def test_a_relay_that_is_away_for_an_hour_delays_and_doubles_nothing(world):
    world.broken["mail_to"] = AWAY
    world.page()
    assert world.go(HOUR, 20) == []
    tries = message_queries.queued(world.ledger)[0].tries
    assert 5 <= tries <= 20, "it is neither given up nor hammered"
    assert [e["kind"] for e in world.query("select kind from events where level = 'error'")] == ["channel_failing"]
    del world.broken["mail_to"]
    assert len(world.go(600, 20)) == 1
    assert world.go(6 * HOUR, 300) == []
    assert (
        "takes messages again"
        in world.query("select message from events order by event_id desc limit 1")[0]["message"]
    )


def test_a_dead_channel_makes_the_persons_next_one_be_used_and_is_said(on_call):
    on_call.broken["phone"] = AWAY
    on_call.page()
    assert [channel for channel, _ in on_call.go(300, 20)] == ["mail", "chat"], "the room hears of the dead channel"
    del on_call.broken["phone"]
    assert on_call.go(1200, 60) == [], "it was told: the phone is not tried again"
    (failing,) = message_queries.failing_channels(on_call.ledger)
    assert failing.channel == "phone" and "does not answer" in failing.error
    assert on_call.query("select from events where kind = 'channel_failing' and subject = 'phone'")


def test_a_channel_whose_address_is_wrong_is_not_tried_again_before_the_next_one(on_call):
    on_call.broken["phone"] = NeedsOperator(Reason.INTERNAL_ERROR, "PHONE_URL is not set or holds no URL")
    on_call.page()
    assert [channel for channel, _ in on_call.go(60, 20)] == ["mail"]


def test_where_every_channel_is_dead_they_take_turns_until_one_takes_it(on_call):
    on_call.broken |= {"phone": AWAY, "mail": AWAY}
    on_call.page()
    assert {channel for channel, _ in on_call.go(1500, 30)} == {"chat"}
    del on_call.broken["phone"]
    assert [channel for channel, _ in on_call.go(1200, 30) if channel != "chat"] in (["phone"], ["phone", "jons"])


def test_what_nobody_acknowledges_goes_to_the_next_on_call_and_no_further_than_the_last(on_call):
    on_call.page()
    assert [channel for channel, _ in on_call.go(60)] == ["phone"]
    ((channel, letter),) = on_call.go(HOUR, 60)
    assert channel == "jons" and "again, somebody must act" in letter.title
    assert "Nobody has acknowledged this yet" in letter.body
    assert on_call.go(10 * HOUR, 300) == []


def test_what_is_acknowledged_calls_nobody_else_and_its_end_is_still_told(on_call):
    on_call.page()
    ((_, letter),) = on_call.go(60)
    assert len(acknowledge(on_call.ledger, letter.key, operator="mira", account="mira@desk")) == 1
    assert acknowledge(on_call.ledger, letter.key, operator="jon") == []
    assert on_call.go(5 * HOUR, 300) == []
    (audit,) = on_call.query("select operator, subject, detail from audit where action = 'acknowledge_message'")
    assert (audit["operator"], audit["subject"]) == ("mira", letter.key)
    assert audit["detail"] == {"troubles": ["storage_unavailable depot"], "account": "mira@desk"}
    on_call.event(EventLevel.INFO, "storage_back", "The depot can be used again.", "depot")
    assert [channel for channel, _ in on_call.go(60)] == ["phone"]


@pytest.mark.parametrize(
    ("key", "operator"), [("20260131-99", "mira"), ("1; drop table messages", "mira"), ("", " ")]
)
def test_an_acknowledgement_of_nothing_or_by_nobody_is_refused(world, key, operator):
    with pytest.raises(BadInput):
        acknowledge(world.ledger, key, operator=operator)


def test_the_clock_set_back_by_a_day_silences_nobody_and_doubles_at_most_once(on_call):
    on_call.page()
    on_call.go(60)
    on_call.now -= timedelta(days=1)
    assert len(on_call.go(120)) <= 1  # the next on call, at most
    on_call.page(kind="unbalanced", text="It does not close.", subject="demo/20260115")
    told = [letter for _, letter in on_call.go(600)]
    assert any("It does not close" in letter.body for letter in told)


def test_the_clock_set_forward_by_a_day_loses_nothing(on_call):
    on_call.page()
    on_call.now += timedelta(days=1)
    assert any("The depot is full" in letter.body for _, letter in on_call.go(60))
    assert len(on_call.go(120)) <= 1


def test_an_event_of_a_transaction_that_ends_late_is_told_too(world, ledger_url):
    """It has a lower number than one that was read before it."""
    from nightshift.ledger import open_ledger

    with open_ledger(ledger_url) as other, other.transaction():
        other.event(EventLevel.PAGE, "unbalanced", "It came late.", subject="demo/20260115")
        world.page()
        assert len(world.go(60)) == 1
    assert any("It came late" in letter.body for _, letter in world.go(900))


def test_an_error_that_grows_to_a_page_is_told_then(world):
    world.event(EventLevel.WARNING, "alerts_not_released", "Not yet.", "democam/7/20260115")
    assert world.go(60) == []
    world.event(EventLevel.PAGE, "alerts_not_released", "The field's alerts cannot be made.", "democam/7/20260115")
    assert len(world.go(60)) == 1


def test_what_falls_into_quiet_hours_is_told_when_they_are_over(on_call):
    zone = on_call.listeners.zone_of("")
    begins, ends = (on_call.now + timedelta(hours=hours) for hours in (-1, 3))
    hours = [f"{each.astimezone(zone):%H:%M}" for each in (begins, ends)]
    on_call.settings = MessageSettings.model_validate(
        {**on_call.settings.model_dump(mode="json"), "rules": [{"levels": ["page"], "quiet_hours": hours}]}
    )
    on_call.page()
    assert on_call.go(2.5 * HOUR, 300) == []
    assert len(on_call.go(0.6 * HOUR, 60)) >= 1


def test_people_who_left_the_settings_lose_nothing(on_call):
    on_call.page()
    on_call.round()
    on_call.settings = MessageSettings.model_validate(
        {"channels": [{"name": "new", "kind": "mail", "to": ["new@example.org"]}],
         "people": [{"name": "new", "channels": ["new"]}]}
    )  # fmt: skip
    assert [channel for channel, _ in on_call.go(120)] == ["new"]


def test_what_was_told_is_kept_as_long_as_events_are(world):
    world.page()
    world.go(60)
    for forget in (message_queries.forget_old_troubles, message_queries.forget_old_messages):
        assert forget(world.ledger, older_than_days=400) == 0
        assert forget(world.ledger, older_than_days=-1) == 1
    assert world.query("select from deliveries") == world.query("select from hearings") == []
