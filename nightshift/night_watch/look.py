"""One look at the open night of a site: what is wrong is told once, and its end once."""

import logging

from nightshift.context import Context
from nightshift.errors import NightshiftError
from nightshift.ledger.queries import night_watch as queries
from nightshift.night_watch import files_that_come, image_quality, rejected_images  # noqa: F401 - they register
from nightshift.night_watch.watches import Alarm, OpenNight, Watch, policy_of, registered_watches
from nightshift.vocabulary import EventLevel

__all__ = ["look_at_open_night"]

log = logging.getLogger(__name__)


def look_at_open_night(context: Context) -> list[str]:
    """Look at the open night of the only site in scope, unless somebody just did; return what is wrong, in sentences.

    Where no night is open any more, everything is over: the morning's mail speaks then.
    """
    ledger, site = context.ledger, context.site.name
    if not queries.claim_look(ledger, site=site, every_s=policy_of(context).look_every_s):
        return []
    night, known = queries.open_night(ledger, site=site), queries.alarms(ledger, site=site)
    for watch in registered_watches():
        for scope in watch.scopes(context):
            alarms = _ask(watch, OpenNight(scope, night)) if night else {}
            if alarms is not None:
                instrument = "" if watch.of_site else scope.survey.camera.instrument
                own = [row.subject for row in known if (row.kind, row.instrument) == (watch.kind, instrument)]
                _tell(context, watch, instrument, alarms, own)
    return [row.message for row in queries.alarms(ledger, site=site)]


def _ask(watch: Watch, watched: OpenNight) -> dict[str, Alarm] | None:
    """Return what one watch finds, by subject; None where it fails, which harms no other."""
    try:
        return {alarm.subject: alarm for alarm in watch.look(watched)}
    except NightshiftError:
        raise  # the ledger is away: nothing can be told
    except Exception:
        log.exception("the watch for %s failed", watch.kind)
        return None


def _tell(context: Context, watch: Watch, instrument: str, alarms: dict[str, Alarm], known: list[str]) -> None:
    """Say what is new, and what is over: each with its row, so that a kill between the two loses neither."""
    site, now = context.site.name, context.clock.now()
    with context.ledger.transaction() as ledger:
        for alarm in alarms.values():
            if queries.put_alarm(
                ledger,
                site=site,
                kind=watch.kind,
                subject=alarm.subject,
                instrument=instrument,
                message=alarm.message,
            ):
                ledger.event(watch.level, watch.kind, alarm.message, subject=alarm.subject, night_time=now)
        for subject in known:
            if subject not in alarms and queries.delete_alarm(ledger, site=site, kind=watch.kind, subject=subject):
                message = f"{subject}: {watch.over_message}"
                ledger.event(EventLevel.INFO, watch.over, message, subject=subject, night_time=now)
