"""supervisord, run so that a full disk does not end it.

It writes the logs of all parts, and tells of what it could not write on its standard error. Where that is on the same
full disk the telling fails too, which supervisord does not expect: it would end, and every part with it.
"""

import sys
from typing import Any, TextIO

__all__ = ["Unfailing"]


class Unfailing:
    """A text stream whose writes may get lost, and never fail.

    Parameters
    ----------
    stream : TextIO
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as far as the disk lets it."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Hand on what is held back, as far as the disk lets it."""
        try:
            self._stream.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


if __name__ == "__main__":
    from supervisor.supervisord import main

    sys.stdout, sys.stderr = Unfailing(sys.stdout), Unfailing(sys.stderr)
    main()
