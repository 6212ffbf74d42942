"""Who would hear what at this moment, in lines for people."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from nightshift.messages.listeners import Listeners, Said, is_quiet
from nightshift.settings.messages import ON_CALL, Rule
from nightshift.vocabulary import EventLevel, all_event_kinds

__all__ = ["lines"]


def lines(listeners: Listeners, open_sites: Collection[str], now: datetime | None = None) -> list[str]:
    """Return who hears of what now, by site and level, who is on call, and the channels.

    Parameters
    ----------
    listeners : Listeners
    open_sites : collection of str
        Sites that have an open night.
    now : datetime, optional
        By default by the machine's clock.
    """
    moment = now or datetime.now(UTC)
    found = []
    for site in listeners.sites:
        open_here = site in open_sites
        found.append(f"{site}, {'with an open night' if open_here else 'no night is open'}:")
        on_call = listeners.on_call(site, moment)
        found.append(f"  on call: {', then '.join(on_call) or 'nobody'}")
        found += [f"  {line}" for line in _of_levels(listeners, site, moment, night_open=open_here)]
    for channel in listeners.channels.values():
        where = ", ".join(channel.to) if channel.kind == "mail" else f"the URL in {channel.variable}"
        users = [person.name for person in listeners.people.values() if channel.name in person.channels]
        found.append(f"channel {channel.name}: {channel.kind} to {where}; of {', '.join(users) or 'nobody'}")
    return found


def _of_levels(listeners: Listeners, site: str, now: datetime, *, night_open: bool) -> Iterator[str]:
    for level in reversed(EventLevel):
        usual = listeners.rule_for(Said(level, "", site), night_open=night_open)
        yield f"{level}: {_heard(listeners, usual, site, level, now)}"
        for kind in all_event_kinds():
            own = listeners.rule_for(Said(level, kind.name, site), night_open=night_open)
            if own != usual:
                yield f"  {kind.name}: {_heard(listeners, own, site, level, now)}"


def _heard(listeners: Listeners, rule: Rule | None, site: str, level: EventLevel, now: datetime) -> str:
    if rule is None:
        return "nobody; the morning's mail has what it tells of"
    settings = listeners.settings
    people = ", ".join(listeners.hear(rule, site, now)) or "nobody"
    how = "at once" if rule.tell == "now" else f"together, after {settings.digest_s / 60:.0f} min"
    by = f" by {rule.channel}" if rule.channel else ""
    begins, ends = rule.quiet_hours or (None, None)
    quiet = (
        f"; quiet now, until {ends:%H:%M}" if ends and is_quiet(now, listeners.zone_of(site), begins, ends) else ""
    )
    repeated = level is EventLevel.PAGE and ON_CALL in rule.to and len(listeners.on_call(site, now)) > 1
    following = f", the next on call after {settings.repeat_after_s / 60:.0f} min" if repeated else ""
    return f"{people} {how}{by}{quiet}{following}"
