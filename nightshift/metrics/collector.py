"""What a scrape reads: every family, asked of the ledger at most once in some seconds."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.metrics import of_alerts, of_machine, of_night  # noqa: F401 - they register their families
from nightshift.metrics.families import Family, registered_families, site_nights
from nightshift.metrics.of_images import measured_families

__all__ = ["LedgerCollector", "all_families"]

FRESH_S = 5.0  # several who scrape cost the ledger no more than one


class LedgerCollector(Collector):
    """Reads the ledger for a scrape. Where it does not answer, `nightshift_ledger_up` alone is given, and is 0.

    Parameters
    ----------
    opened : callable
        Opens the context that is asked; it is closed again.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[Context]]):
        self._opened = opened
        self._lock = threading.Lock()
        self._metrics: list[Metric] = []
        self._read_at: float | None = None

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of now."""
        with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at > FRESH_S:
                self._metrics = self._read()
                self._read_at = time.monotonic()
            return list(self._metrics)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what is there shows when it is scraped."""
        return []

    def _read(self) -> list[Metric]:
        up = GaugeMetricFamily("nightshift_ledger_up", "Whether the ledger answers.")
        began = time.monotonic()
        try:
            with self._opened() as context:
                metrics = _families_of(context)
            up.add_metric([], 1)
        except Retry:
            metrics = []
            up.add_metric([], 0)
        seconds = GaugeMetricFamily("nightshift_scrape_seconds", "How long the ledger was asked for all of this.")
        seconds.add_metric([], time.monotonic() - began)
        return [up, seconds, *metrics]


def all_families() -> tuple[Family, ...]:
    """Return every family, those of the measurements last."""
    return (*registered_families(), *measured_families())


def _families_of(context: Context) -> list[Metric]:
    nights = list(site_nights(context))
    found: list[Metric] = []
    for family in all_families():
        metric = GaugeMetricFamily(family.name, family.says, labels=family.labels)
        for values, number in dict(row for night in nights for row in family.rows(night)).items():
            metric.add_metric(list(values), number)
        found.append(metric)
    return found
