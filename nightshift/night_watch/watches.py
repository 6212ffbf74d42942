"""The watches of an open night: one function each, registered with the events that tell what it finds and its end."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.settings.night_watch import NightWatchPolicy
from nightshift.vocabulary import EventLevel

__all__ = ["Alarm", "OpenNight", "Watch", "policy_of", "registered_watches", "watch"]


@dataclass(frozen=True)
class Alarm:
    """Something that is wrong now.

    Parameters
    ----------
    subject : str
        What it is wrong with; with the kind of its event it tells it from every other.
    message : str
        A sentence that says what is wrong, with its numbers.
    """

    subject: str
    message: str


@dataclass(frozen=True)
class OpenNight:
    """What a watch looks at: the open night of an instrument, or of a site with all of its instruments."""

    context: Context
    night: date

    @property
    def policy(self) -> NightWatchPolicy:
        """From where on somebody is told."""
        return policy_of(self.context)


@dataclass(frozen=True)
class Watch:
    """One thing that is watched.

    Parameters
    ----------
    kind : str
        Of the event that tells what was found (`nightshift.vocabulary.event_kinds`).
    over : str
        Of the event that tells its end, with a sentence.
    over_message : str
    level : EventLevel
    of_site : bool
        Whether it is asked once a site, rather than once an instrument.
    look : callable
        Returns what is wrong.
    """

    kind: str
    over: str
    over_message: str
    level: EventLevel
    of_site: bool
    look: Callable[[OpenNight], Iterable[Alarm]]

    def scopes(self, context: Context) -> Iterator[Context]:
        """Give the contexts that it is asked of, of those of a site."""
        yield from (context,) if self.of_site else context.instruments()


def policy_of(context: Context) -> NightWatchPolicy:
    """Return from where on somebody is told; that of the first camera in scope where there are several."""
    return context.deployment.surveys[0].night_watch


_watches: list[Watch] = []

Look = Callable[[OpenNight], Iterable[Alarm]]


def watch(
    kind: str, *, over: str, over_message: str, level: EventLevel = EventLevel.PAGE, of_site: bool = False
) -> Callable[[Look], Look]:
    """Register a function as a watch (`Watch`)."""

    def register(look: Look) -> Look:
        _watches.append(Watch(kind, over, over_message, level, of_site, look))
        return look

    return register


def registered_watches() -> tuple[Watch, ...]:
    """Return the watches of the modules that were read, in the order in which they are asked."""
    return tuple(_watches)
