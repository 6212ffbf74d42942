"""Errors of a step as Airflow understands them."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_retry_where_a_human_must_act"]


@contextmanager
def no_retry_where_a_human_must_act() -> Iterator[None]:
    """Let a task fail at once, with its text, where trying again would give the same."""
    from airflow.sdk.exceptions import AirflowFailException

    from nightshift.errors import BadInput, NeedsOperator

    try:
        yield
    except (BadInput, NeedsOperator) as error:
        raise AirflowFailException(f"{error.reason}: {error}") from error
