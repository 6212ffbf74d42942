"""The context of one site, opened anew for each check."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from nightshift.context import Context, open_context
from nightshift.preflight.run_checks import OpenContext

__all__ = ["site_opener"]


def site_opener(site: str, night: date | None) -> OpenContext:
    """Return what opens a site's context from the environment, with the settings of a night."""

    @contextmanager
    def opened() -> Iterator[Context]:
        with open_context(night) as context:
            yield context.of_site(site)

    return opened
