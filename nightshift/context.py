"""Everything that a step of the night works with, opened from the environment in one place."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nightshift.clock import Clock, clock_from_environment
from nightshift.depot import Depot
from nightshift.errors import NeedsOperator
from nightshift.ledger import Ledger, check_ledger, open_ledger
from nightshift.settings import Deployment, SettingsError, Survey, load_deployment
from nightshift.settings.models import NightPolicy, Site, StoragePolicy
from nightshift.vocabulary import Reason

__all__ = ["Context", "deployment_from_environment", "open_context"]


@dataclass(frozen=True)
class Context:
    """The settings of what is in scope, the ledger, the depot, the inbox and the clock.

    An entry point narrows it once, to the instrument or the site that it works on, and passes that on.
    """

    deployment: Deployment
    ledger: Ledger
    depot: Depot
    inbox: Path
    clock: Clock

    @property
    def survey(self) -> Survey:
        """The settings of the only instrument in scope; `SettingsError` where there are several."""
        return self.deployment.survey

    @property
    def site(self) -> Site:
        """The only site in scope; `SettingsError` where there are several."""
        return self.deployment.site

    @property
    def night_policy(self) -> NightPolicy:
        """How a night ends at the only site in scope: the same for all of its instruments."""
        return self.deployment.surveys_of_site(self.site.name)[0].night

    @property
    def storage_policy(self) -> StoragePolicy:
        """When the night waits for its disks: the strictest of what is in scope."""
        return max((survey.storage for survey in self.deployment.surveys), key=lambda policy: policy.least_free_mb)

    def of_instrument(self, instrument: str) -> "Context":
        """Return the context of one instrument; `SettingsError` where it is not in scope."""
        return replace(self, deployment=self.deployment.of_instrument(instrument))

    def of_site(self, site: str) -> "Context":
        """Return the context of one site; `SettingsError` where it is not in scope."""
        return replace(self, deployment=self.deployment.of_site(site))

    def of_work(self, keys: Mapping[str, str]) -> "Context":
        """Return the context of the instrument or the site that the natural keys of some work name.

        Raises
        ------
        nightshift.errors.NeedsOperator
            If the survey has no such instrument or site.
        """
        try:
            return replace(self, deployment=self.deployment.of_work(keys))
        except SettingsError as error:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"{error}. Put its settings back, or mark the run as failed"
            ) from error

    def instruments(self) -> tuple["Context", ...]:
        """Return one context an instrument in scope."""
        return tuple(self.of_instrument(name) for name in self.deployment.instruments)

    def sites(self) -> tuple["Context", ...]:
        """Return one context a site in scope."""
        return tuple(self.of_site(site.name) for site in self.deployment.sites)

    def with_survey(self, survey: Survey) -> "Context":
        """Return the context of one instrument with other settings."""
        return replace(self, deployment=Deployment.of(survey))


def deployment_from_environment() -> Deployment:
    """Return the settings of the survey that ``NIGHTSHIFT_SURVEY`` names, with all its instruments."""
    return load_deployment(_from_environment("NIGHTSHIFT_SURVEY"))


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SettingsError(f'{name} is not set; eval "$(nightshift environment --survey <name>)" sets all of them')
    return value


@contextmanager
def open_context() -> Iterator[Context]:
    """Open the context that the environment describes, and close its ledger afterwards.

    ``NIGHTSHIFT_SURVEY``, ``NIGHTSHIFT_LEDGER``, ``NIGHTSHIFT_DEPOT``, ``NIGHTSHIFT_INBOX`` and, where the
    night is not live, ``NIGHTSHIFT_CLOCK``.

    Raises
    ------
    nightshift.errors.NeedsOperator
        If the ledger is another survey's, or its schema is not the one of this code.
    """
    deployment = deployment_from_environment()
    with open_ledger() as ledger:
        check_ledger(ledger, deployment.name, deployment.site_names)
        yield Context(
            deployment,
            ledger,
            Depot.from_environment(),
            Path(_from_environment("NIGHTSHIFT_INBOX")),
            clock_from_environment(),
        )
