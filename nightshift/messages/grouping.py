"""When something is told, and what is told together: so that a storm is one message, and nothing is forgotten.

All of it is decided from what is to be said, what was said lately, and the time. A moment that lies in the future was
written before the clock was set back; it counts as long ago, so that a step of the clock never silences anybody.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from nightshift.ledger.queries.messages import SaidLately, ToBeSaid
from nightshift.messages.listeners import is_quiet
from nightshift.settings.messages import MessageSettings

__all__ = ["LATELY_S", "by_listener", "to_tell_now"]

LATELY_S = 43200.0  # a night: what was said before is no reason to wait
STORM_S = 3600.0  # messages within so long of each other come less and less often
SLOWER = 2.0  # from the third message within `STORM_S` on


def by_listener(waiting: Iterable[ToBeSaid]) -> dict[tuple[str, str], list[ToBeSaid]]:
    """Return what is to be said by person and first channel: what one message can hold."""
    found: dict[tuple[str, str], list[ToBeSaid]] = defaultdict(list)
    for each in waiting:
        found[each.person, each.channel].append(each)
    return dict(found)


def to_tell_now(
    waiting: Sequence[ToBeSaid],
    said: Sequence[SaidLately],
    settings: MessageSettings,
    now: datetime,
    zones: dict[str, ZoneInfo],
) -> list[ToBeSaid]:
    """Return what one person's next message holds, empty while it is not due.

    Parameters
    ----------
    waiting : sequence of ToBeSaid
        What the person is to hear, by one channel first.
    said : sequence of SaidLately
        What the same person heard lately by the same channel.
    settings : MessageSettings
    now : datetime
    zones : dict of str to ZoneInfo
        By site.

    Returns
    -------
    list of ToBeSaid
        Everything that may be told at this hour, as soon as something of it is due: what is not urgent goes along.
    """
    allowed = [each for each in waiting if not _is_quiet_for(each, zones[each.site], now)]
    if not allowed or not _apart(said, settings, now):
        return []
    began = {each.trouble_id for each in allowed if each.what == "began"}
    over = began & {each.trouble_id for each in allowed if each.what == "ended"}
    due = any(_waited(each, over, said, settings, now) for each in allowed)
    return allowed if due else []


def _is_quiet_for(each: ToBeSaid, zone: ZoneInfo, now: datetime) -> bool:
    if each.quiet_from is None or each.quiet_until is None:
        return False
    return is_quiet(now, zone, time.fromisoformat(each.quiet_from), time.fromisoformat(each.quiet_until))


def _apart(said: Sequence[SaidLately], settings: MessageSettings, now: datetime) -> bool:
    """Whether it is long enough since the last message."""
    moments = sorted({(each.made_at, each.message_key) for each in said})
    if not moments:
        return True
    last = moments[-1][0]
    in_storm = sum(timedelta() <= last - at < timedelta(seconds=STORM_S) for at, _ in moments)
    return _passed(last, settings.apart_s * (SLOWER if in_storm > 1 else 1.0), now)


def _waited(
    each: ToBeSaid, over: set[int], said: Sequence[SaidLately], settings: MessageSettings, now: datetime
) -> bool:
    """Whether it was waited for what comes with it, and the last message of its kind is long enough ago."""
    brief = each.trouble_id in over  # it ended before it was told
    gather = settings.gather_s if each.urgent and not brief else settings.digest_s
    if not _passed(each.since, gather, now):
        return False
    if each.what == "repeated":
        return True
    alike = {(s.made_at, s.message_key) for s in said if (s.kind, s.what) == (each.kind, each.what)}
    if not alike:
        return True
    again = settings.again_s[min(len(alike), len(settings.again_s)) - 1]
    return _passed(max(alike)[0], again, now)


def _passed(since: datetime, seconds: float, now: datetime) -> bool:
    age = (now - since).total_seconds()
    return age < 0 or age >= seconds
