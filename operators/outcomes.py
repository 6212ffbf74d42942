"""Errors of a step as Airflow understands them, and answers to what a person asked for."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["answer_person", "no_retry_where_a_human_must_act"]

LONGEST_NOTE = 1000  # characters; Airflow takes no more
log = logging.getLogger(__name__)


@contextmanager
def no_retry_where_a_human_must_act() -> Iterator[None]:
    """Let a task fail at once, with its text, where trying again would give the same."""
    from airflow.sdk.exceptions import AirflowFailException

    from nightshift.errors import BadInput, NeedsOperator

    try:
        yield
    except (BadInput, NeedsOperator) as error:
        raise AirflowFailException(f"{error.reason}: {error}") from error


def answer_person(run: Any, work: Callable[[], str]) -> str:
    """Do what a person asked for in a form, and write the answer where they look: as the note of their run.

    Parameters
    ----------
    run : DagRun
        Theirs.
    work : callable
        Does it, and returns the answer.

    Raises
    ------
    airflow.sdk.exceptions.AirflowFailException
        If it is refused: at once, since asking again would give the same, so that nobody who asks next waits.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from nightshift.errors import BadInput, NeedsOperator, Retry
    from nightshift.settings import SettingsError

    try:
        text = work()
    except (BadInput, NeedsOperator, SettingsError) as error:
        _note(run, f"Refused: {error}")
        raise AirflowFailException(f"refused: {error}") from error
    except Retry as error:
        _note(run, f"Not done yet, and tried again by itself: {error}")
        raise
    _note(run, text)
    return text


def _note(run: Any, text: str) -> None:
    """Write a run's note. Where Airflow does not take it the task's log has the text all the same."""
    from nightshift.errors import NightshiftError
    from operators.airflow_api import airflow_api

    log.info("%s", text)
    try:
        airflow_api().put_note(run.dag_id, run.run_id, text[:LONGEST_NOTE])
    except NightshiftError as error:
        log.warning("the run has no note: %s", error)
