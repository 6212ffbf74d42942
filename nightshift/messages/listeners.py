"""Who hears of an event, by the settings: the people, their channels, who is on call, and the rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from nightshift.nights import night_of
from nightshift.settings import Deployment
from nightshift.settings.messages import ON_CALL, Channel, MessageSettings, OnCall, Person, Rule
from nightshift.settings.models import Site
from nightshift.vocabulary import EventLevel

__all__ = ["Listeners", "Said", "is_quiet"]

CALLS = Rule(levels=(EventLevel.PAGE,))  # where there are no rules
MAIL_TO = "mail_to"


@dataclass(frozen=True)
class Said:
    """What the rules look at of an event.

    Parameters
    ----------
    level : EventLevel
    kind : str
    site : str
        Empty where it is no site's own.
    """

    level: EventLevel
    kind: str
    site: str = ""


@dataclass(frozen=True)
class Listeners:
    """The people of a survey and the rules by which they hear.

    Parameters
    ----------
    settings : MessageSettings
    sites : mapping of str to Site
    instruments : mapping of str to str
        The site of each instrument.
    mail_to : mapping of str to (sequence of str)
        Who gets the morning's mail of each site: whoever hears where the settings name no people.
    mail_from : str
        The sender of mails.
    """

    settings: MessageSettings
    sites: Mapping[str, Site]
    instruments: Mapping[str, str]
    mail_to: Mapping[str, Sequence[str]]
    mail_from: str
    channels: Mapping[str, Channel] = field(init=False)
    people: Mapping[str, Person] = field(init=False)

    def __post_init__(self) -> None:
        channels, people = self.settings.channels, self.settings.people
        if not people:
            own = [
                Channel(name=self._mail_to(site), kind="mail", to=tuple(addresses))
                for site, addresses in self.mail_to.items()
                if addresses
            ]
            channels = (*(channel for channel in channels if not channel.name.startswith(MAIL_TO)), *own)
            people = tuple(Person(name=channel.name, channels=(channel.name,)) for channel in own)
        object.__setattr__(self, "channels", {channel.name: channel for channel in channels})
        object.__setattr__(self, "people", {person.name: person for person in people})

    @classmethod
    def of(cls, deployment: Deployment) -> "Listeners":
        """Return those of a survey."""
        surveys = deployment.surveys
        return cls(
            surveys[0].messages,  # the same for all
            {survey.site.name: survey.site for survey in surveys},
            {survey.camera.instrument: survey.site.name for survey in surveys},
            {survey.site.name: survey.night.mail_to for survey in surveys},
            surveys[0].night.mail_from,
        )

    def _mail_to(self, site: str) -> str:
        return MAIL_TO if len(self.sites) == 1 else f"{MAIL_TO}-{site.lower()}"

    def site_of(self, subject: str) -> str:
        """Return the site that an event's subject belongs to; empty where it is not one site's."""
        if len(self.sites) == 1:
            return next(iter(self.sites))
        first = subject.partition("/")[0]
        return first if first in self.sites else self.instruments.get(first, "")

    def rule_for(self, said: Said, *, night_open: bool) -> Rule | None:
        """Return the rule that decides who hears: the first that fits; None where nobody does."""
        for rule in self.settings.rules or (CALLS,):
            if _fits(rule, said, night_open=night_open):
                return None if rule.tell == "never" else rule
        return None

    def hear(self, rule: Rule, site: str, now: datetime) -> tuple[str, ...]:
        """Return who hears at once by a rule: of those on call, the first."""
        named = [name for name in rule.to if name != ON_CALL]
        on_call = self.on_call(site, now)
        if not self.settings.people and ON_CALL in rule.to:
            return on_call if site else tuple(self.people)  # the mail of the site, or of all
        return tuple(dict.fromkeys([*(on_call[:1] if ON_CALL in rule.to else ()), *named]))

    def on_call(self, site: str, now: datetime) -> tuple[str, ...]:
        """Return who is on call in the night of a moment, who is called first in front."""
        if not self.settings.people:
            return tuple(name for name in self.people if not site or name == self._mail_to(site))
        place = self.sites.get(site) or next(iter(self.sites.values()))
        return tuple(_on_call(self.settings.on_call, night_of(place, now)) or self.people)

    def channels_for(self, person: str, first: str = "") -> tuple[Channel, ...]:
        """Return the channels on which a person is told, in the order in which they are tried.

        For somebody who is in the settings no more, those of everybody else: what was to be told is not lost.
        """
        known = self.people.get(person)
        theirs = known.channels if known else [name for other in self.people.values() for name in other.channels]
        names = dict.fromkeys([*([first] if first else []), *theirs])
        return tuple(self.channels[name] for name in names if name in self.channels)

    def zone_of(self, site: str) -> ZoneInfo:
        """Return the time zone of a site, of the first where it is no site's own."""
        return ZoneInfo((self.sites.get(site) or next(iter(self.sites.values()))).time_zone)


def _fits(rule: Rule, said: Said, *, night_open: bool) -> bool:
    return (
        (not rule.levels or said.level in rule.levels)
        and (not rule.kinds or said.kind in rule.kinds)
        and (not rule.sites or said.site in rule.sites)
        and (rule.night == "any" or (rule.night == "open") == night_open)
    )


def _on_call(settings: OnCall, night: date) -> Sequence[str]:
    for entry in reversed(settings.dates):
        if entry.first <= night <= entry.last:
            return entry.people
    return list(_in_turn(settings, night))


def _in_turn(settings: OnCall, night: date) -> Iterator[str]:
    """Yield the weekly list, begun with the one whose week it is."""
    week = (night - settings.since).days // 7
    for place in range(len(settings.weekly)):
        yield settings.weekly[(week + place) % len(settings.weekly)]


def is_quiet(now: datetime, zone: ZoneInfo, begins: time | None, ends: time | None) -> bool:
    """Whether it is within quiet hours, which may reach over midnight; the hour at which they end is not."""
    if begins is None or ends is None or begins == ends:
        return False
    local = now.astimezone(zone).time()
    return begins <= local < ends if begins < ends else local >= begins or local < ends
