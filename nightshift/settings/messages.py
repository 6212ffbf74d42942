"""Who hears of what goes wrong, how and when."""

import re
from datetime import date, time
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator
from pydantic import Field as Key

from nightshift.settings.base_table import Positive, Table
from nightshift.vocabulary import EventLevel, event_kind

__all__ = ["ON_CALL", "Channel", "Heartbeat", "MessageSettings", "OnCall", "OnCallDates", "Person", "Rule"]

ON_CALL = "on_call"  # in place of a person: whoever is on call
VARIABLE = r"[A-Z][A-Z0-9_]*"


def _variable(name: str) -> str:
    if not re.fullmatch(VARIABLE, name):
        raise ValueError(
            "the name of an environment variable, of capital letters, such as CHAT_URL: an address with a "
            "secret in it stands there and not in this file"
        )
    return name


def _known_kind(name: str) -> str:
    if event_kind(name) is None:
        raise ValueError(f"{name!r} is no kind of event; they are listed in nightshift/vocabulary/event_kinds.py")
    return name


def _person_name(name: str) -> str:
    if name == ON_CALL:
        raise ValueError(f"{ON_CALL!r} means whoever is on call: call this person otherwise")
    return name


Name = Annotated[str, Key(pattern=r"^[a-z0-9_-]+$")]
PersonName = Annotated[Name, AfterValidator(_person_name)]
Variable = Annotated[str, AfterValidator(_variable)]
KindName = Annotated[str, AfterValidator(_known_kind)]

# --- policy.toml -------------------------------------------------------------------------------------------


class Channel(Table):
    """One way to reach somebody: mail, a chat's webhook, or any service that Apprise knows."""

    name: Name  # as people and rules call it
    kind: Literal["mail", "webhook", "apprise"]  # webhook: a POST of JSON with `text`; apprise: the variable's URL
    to: tuple[str, ...] = ()  # addresses; of mail alone
    variable: Variable | None = None  # environment variable with the URL; of webhook and apprise

    @model_validator(mode="after")
    def _reaches_somebody(self) -> "Channel":
        if self.kind == "mail" and (not self.to or self.variable):
            raise ValueError(f'channel {self.name}: kind = "mail" needs to = ["somebody@..."] and no variable')
        if self.kind != "mail" and (self.to or not self.variable):
            raise ValueError(
                f'channel {self.name}: kind = "{self.kind}" needs variable = "..." and no `to`: the environment '
                "variable that holds its URL"
            )
        return self


class Person(Table):
    """Somebody who hears messages; a chat room is one too."""

    name: PersonName  # as rules and the on-call list call them
    channels: Annotated[tuple[Name, ...], Key(min_length=1)]  # the first that works is used


class OnCallDates(Table):
    """Who is on call on some nights, whatever the weekly list says."""

    first: date  # the date of the evening
    last: date  # the same; included
    people: Annotated[tuple[PersonName, ...], Key(min_length=1)]  # who is called first stands first

    @model_validator(mode="after")
    def _in_order(self) -> "OnCallDates":
        if self.last < self.first:
            raise ValueError(f"last = {self.last} is before first = {self.first}")
        return self


class OnCall(Table):
    """Who is called first, and who next if nobody answers."""

    weekly: tuple[PersonName, ...] = ()  # a week each, in turn, and the others after them; none: all people, in order
    since: date = date(2026, 1, 5)  # the evening on which a week of the first began
    dates: tuple[OnCallDates, ...] = ()  # nights on which it is otherwise; of several the last entry holds


class Rule(Table):
    """Who hears of some events. The first rule that fits an event decides; of one that none fits nobody hears."""

    levels: tuple[EventLevel, ...] = ()  # none: of any level
    kinds: tuple[KindName, ...] = ()  # none: of any kind
    sites: tuple[str, ...] = ()  # none: of any site
    night: Literal["any", "open", "closed"] = "any"  # only while a night of the site is open, or while none is
    tell: Literal["now", "digest", "never"] = "now"  # digest: together, `digest_s` after the first
    to: tuple[str, ...] = (ON_CALL,)  # people; on_call: who is on call, and the next if nobody answers
    channel: Name | None = None  # tried before the person's own
    quiet_hours: tuple[time, time] | None = None  # (from, until) by the site's clock: told afterwards


class Heartbeat(Table):
    """The sign of life that something off the machine waits for while a night is open."""

    url_variable: Variable = "NIGHTSHIFT_HEARTBEAT_URL"  # environment variable with the URL, {site} in it filled in
    signed_by: Variable = "NIGHTSHIFT_HEARTBEAT_SECRET"  # environment variable with the secret that signs each beat
    every_s: Positive = 60.0  # between two beats
    by_day: bool = False  # beat also while no night is open
    dead_after_s: Positive = 180.0  # a part that does not answer for so long is told
    inbox_unwatched_s: Positive = 600.0  # the inbox was not looked at for so long: its watch is dead
    after_noon_h: Annotated[float, Key(ge=0)] = 0.0  # a night is to be closed by the noon that ends it, and so long


class MessageSettings(Table):
    """Who hears of what goes wrong, how and when; by default mail_to, at once, of what needs somebody tonight."""

    channels: tuple[Channel, ...] = ()
    people: tuple[Person, ...] = ()
    on_call: OnCall = OnCall()
    rules: tuple[Rule, ...] = ()
    heartbeat: Heartbeat = Heartbeat()
    gather_s: Annotated[float, Key(ge=0)] = 20.0  # what comes within so long after the first is one message
    apart_s: Positive = 300.0  # between two messages to one person; twice as long from the third within an hour on
    again_s: Annotated[tuple[Positive, ...], Key(min_length=1)] = (600.0, 14400.0, 43200.0)  # until more of one kind
    digest_s: Positive = 3600.0  # until what is not urgent is told together
    repeat_after_s: Positive = 1800.0  # until the next on call hears what nobody has acknowledged
    same_for_s: Positive = 43200.0  # the same kind of the same subject is no news for so long
    tries_per_channel: Annotated[int, Key(ge=1)] = 3  # then the person's next channel is used
    answer_within_s: Positive = 20.0  # a channel that takes longer has failed
    ledger_silent_s: Positive = 60.0  # the ledger has not answered for so long: it is told without it

    @model_validator(mode="after")
    def _names_are_known(self) -> "MessageSettings":
        channels, people = [c.name for c in self.channels], [p.name for p in self.people]
        for what, names in (("channels", channels), ("people", people)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"messages.{what}: two entries have the name {', '.join(twice)}")
        for where, name in self._channels_named():
            if name not in channels:
                raise ValueError(f"{where}: there is no channel {name!r}; there are {', '.join(channels) or 'none'}")
        for where, name in self._people_named():
            if name not in people:
                raise ValueError(f"{where}: there is no person {name!r}; there are {', '.join(people) or 'none'}")
        return self

    def _channels_named(self) -> list[tuple[str, str]]:
        named = [(f"messages.people {p.name}", channel) for p in self.people for channel in p.channels]
        return named + [("messages.rules", rule.channel) for rule in self.rules if rule.channel is not None]

    def _people_named(self) -> list[tuple[str, str]]:
        named = [("messages.on_call.weekly", name) for name in self.on_call.weekly]
        named += [("messages.on_call.dates", name) for entry in self.on_call.dates for name in entry.people]
        return named + [("messages.rules", name) for rule in self.rules for name in rule.to if name != ON_CALL]

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold the secrets of the channels and of the heartbeat."""
        own = {channel.variable for channel in self.channels if channel.variable}
        return tuple(sorted(own | {self.heartbeat.url_variable, self.heartbeat.signed_by}))
