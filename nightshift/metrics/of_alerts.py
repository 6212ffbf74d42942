"""Alerts of the newest night: how many, and how fast."""

from collections.abc import Iterator

from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries import metrics as queries
from nightshift.metrics.families import Row, SiteNight, family
from nightshift.vocabulary import AlertState

__all__ = ["LATELY", "alerts", "latencies", "queued"]

LATELY = 20  # exposures


@family("night_alerts", "Alerts of the newest night.", "site", "state")
def alerts(of: SiteNight) -> Iterator[Row]:
    """Give the alerts by state, also the states that none is in."""
    rows = queries.alerts_by_state(of.context.ledger, site=of.site, night=of.night)
    found = {row.state: row.alerts for row in rows}
    for state in AlertState:
        yield (of.site, state), found.get(state, 0)


@family("alert_messages_queued", "Messages that wait for the broker, of all sites.")
def queued(of: SiteNight) -> Iterator[Row]:
    """Give the length of the one outbox."""
    yield (), alert_queries.queue_length(of.context.ledger)


@family(
    "alert_latency_seconds",
    "From the arrival of an exposure's last file until the broker acknowledged its alerts, over the last exposures.",
    "site", "quantile",
)  # fmt: skip
def latencies(of: SiteNight) -> Iterator[Row]:
    """Give median, 95th percentile and worst; nothing where no alert went out."""
    row = queries.alert_latencies(of.context.ledger, site=of.site, night=of.night, exposures=LATELY)
    if row is not None:
        for quantile, seconds in (("0.5", row.p50), ("0.95", row.p95), ("1", row.worst)):
            if seconds is not None:
                yield (of.site, quantile), seconds
