"""Prometheus reads how the night stands from the ledger."""

from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nightshift.errors import Retry
from nightshift.metrics.collector import LedgerCollector
from nightshift.vocabulary import Reason

pytestmark = pytest.mark.integration


def scraped(opened):
    """Return every figure as Prometheus reads it: name and labels, and the number."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(opened))
    text = generate_latest(registry).decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}


def opening(context):
    @contextmanager
    def opened():
        yield context

    return opened


def test_a_night_with_images_and_alerts(night):
    night.frame(1)
    night.unit(1, quality={"good": True, "fwhm_px": 2.25})
    night.unit(1, 1, 2, state="rejected", reason="cloudy")
    reference = night.reference()
    night.alerts(1, [(150.1, 2.2), (150.2, 2.3)], reference)
    figures = scraped(opening(night.context))
    assert figures["nightshift_ledger_up",] == 1
    assert figures["nightshift_night_state", "demo", "open"] == 1
    assert figures["nightshift_night_state", "closed", "demo"] == 0
    assert figures["nightshift_night_files", "demo", "registered"] == 1
    assert figures["nightshift_night_units", "demo", "democam", "processed"] == 1
    assert figures["nightshift_night_units", "demo", "democam", "rejected"] == 1
    assert figures["nightshift_night_units", "demo", "democam", "failed"] == 0
    assert figures["nightshift_night_alerts", "demo", "sent"] == 2
    assert figures["nightshift_alert_messages_queued",] == 0
    assert figures["nightshift_image_fwhm_px", "democam", "g"] == 2.25


def test_before_the_first_night_there_is_nothing_but_the_ledger(context):
    figures = scraped(opening(context))
    assert figures.pop(("nightshift_ledger_up",)) == 1
    assert {name for name, *_ in figures} == {"nightshift_scrape_seconds"}


def test_a_ledger_that_does_not_answer_is_a_figure_too():
    @contextmanager
    def opened():
        raise Retry(Reason.INTERNAL_ERROR, "the ledger is away")
        yield

    assert scraped(opened)["nightshift_ledger_up",] == 0
