"""What pixels can be unfit for. The cause is one word of the survey's vocabulary; the message says what was seen."""

__all__ = ["Unusable"]


class Unusable(Exception):
    """The input cannot be reduced any further, and would fail again.

    Parameters
    ----------
    cause : str
        A reason code, such as ``too_few_stars``.
    message : str
        What was wrong and where.
    """

    def __init__(self, cause: str, message: str):
        super().__init__(message)
        self.cause = cause

    def __reduce__(self):
        return type(self), (self.cause, str(self))
