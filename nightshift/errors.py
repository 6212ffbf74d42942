"""Errors are named by who must act."""

from typing import Self

from nightshift.vocabulary import ErrorClass, Reason

__all__ = ["BadInput", "NeedsOperator", "NightshiftError", "OutOfResources", "Retry"]


class NightshiftError(Exception):
    """A failure with its reason code.

    Parameters
    ----------
    reason : Reason
        The code that the ledger stores.
    message : str
        What was wrong, where, and what to do next.
    """

    error_class: ErrorClass = ErrorClass.NEEDS_OPERATOR

    def __init__(self, reason: Reason, message: str):
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.reason, str(self))


class BadInput(NightshiftError):
    """The same input fails again: set it aside with its reason and go on."""

    error_class = ErrorClass.BAD_INPUT


class Retry(NightshiftError):
    """The same thing may work later."""

    error_class = ErrorClass.RETRY


class OutOfResources(NightshiftError):
    """The same thing may work with more memory or time."""

    error_class = ErrorClass.RESOURCES


class NeedsOperator(NightshiftError):
    """A human must act; the message says what to do."""

    error_class = ErrorClass.NEEDS_OPERATOR
