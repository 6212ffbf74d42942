"""The order in which the alerts of a field are released: the sky's, not the machine's.

An object is named by its first alert, and an alert tells what was seen before at its place. Both depend on the order
in which alerts are made, and an alert that was sent stays. So that the same night gives the same alerts on any
machine, whatever breaks, the alerts of a field are made in one order:

- A difference's place in that order is the moment at which it could first have been made: its own shutter, or where
  that is later, the shutter of its reference's last member. Frames that were taken before there was a reference have
  the moment of the frame that completed it. The ledger keeps the moment as ``release_order_at``.
- Differences of a field are released in the order (that moment, shutter, exposure). One waits while something that
  comes before it is open: a frame that came and is not reduced, or one that will be differenced with a reference
  that is there or can be built. What failed, was rejected or never came holds nobody up.
- It waits for a bounded time, ``alerts.order_wait_s``. Then it goes out of order, and an event reports it.

Frames that come after their place (a late transfer) take the next one. Fields do not wait for each other; where two
overlap, an object in both is named by whichever came first.
"""

from nightshift.alerts.release import release
from nightshift.context import Context
from nightshift.errors import NightshiftError, Retry
from nightshift.keys import serving
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.alerts import NextDifference
from nightshift.nights import night_of
from nightshift.vocabulary import EventLevel, Tier

__all__ = ["release_all_in_order", "release_in_order"]


def release_all_in_order(context: Context, *, at_once: bool = False) -> int:
    """Release what is next in any field, and return of how many quadrants. May run again, and beside itself.

    A field whose alerts cannot be made is said once a night and holds up no other.

    Parameters
    ----------
    context : Context
    at_once : bool
        Whether nothing is waited for any more: the night's deadline has passed.
    """
    return sum(_release_of_instrument(own, at_once=at_once) for own in context.instruments())


def _release_of_instrument(context: Context, *, at_once: bool) -> int:
    released = 0
    instrument = context.survey.camera.instrument
    for each in alert_queries.fields_awaiting_release(context.ledger, instrument=instrument):
        try:
            released += release_in_order(context, each.instrument, each.field, each.campaign, at_once=at_once)
        except NightshiftError as error:
            if at_once and isinstance(error, Retry):
                raise  # there is no later look: who asked tries again
            if isinstance(error, Busy):
                continue  # whoever is at it releases these too, or the next look does
            _say_not_released(context, f"{each.instrument}/{each.field}/{each.campaign}", error)
    return released


def release_in_order(
    context: Context, instrument: str, field: int | None, campaign: str, *, at_once: bool = False
) -> int:
    """Release what is next in the order of one field, and return of how many quadrants."""
    if field is None:
        return 0  # no field, no reference, no difference
    released, last = 0, None
    with advisory_lock(context.ledger, LockedWork.RELEASE_ORDER, f"{instrument}/{field}/{campaign}"):
        while differences := _next_in_order(context, instrument, field, campaign):
            if (units := [difference.unit_key for difference in differences]) == last:
                break  # none of them was decided: the next look tries again
            patience_s = 0.0 if at_once else context.survey.alerts.order_wait_s
            late = min(difference.waited_s for difference in differences) > patience_s
            if (open_before := differences[0].waits_for) is not None:
                if not late:
                    break
                _say_out_of_order(context, f"{instrument}/{differences[0].exposure_id}", open_before)
            released += release(context, units).decided
            last = units
    return released


def _next_in_order(context: Context, instrument: str, field: int, campaign: str) -> list[NextDifference]:
    policy = context.survey.reference
    return alert_queries.next_in_release_order(
        context.ledger,
        instrument=instrument, field=field, campaign=campaign, at_least=policy.at_least_frames,
        serves_now=policy.first_serves == "now", tier=Tier.PROCESSED, campaigns=serving(campaign),
    )  # fmt: skip


def _say_not_released(context: Context, field_of: str, error: NightshiftError) -> None:
    now = context.clock.now()
    kind, subject = "alerts_not_released", f"{field_of}/{night_of(context.site, now):%Y%m%d}"
    if not ledger_queries.event_said(context.ledger, kind=kind, subject=subject):
        level = EventLevel.WARNING if isinstance(error, Retry) else EventLevel.PAGE
        text = f"The field's alerts cannot be made: {error}"[:1000]
        context.ledger.event(level, kind, text, subject=subject, night_time=now)


def _say_out_of_order(context: Context, subject: str, open_before: str) -> None:
    context.ledger.event(
        EventLevel.WARNING, "released_out_of_order",
        f"Its alerts are released although {open_before}, which comes before it in its field, has not ended.",
        subject=subject, night_time=context.clock.now(),
    )  # fmt: skip
