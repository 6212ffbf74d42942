"""Everything that a step of the night works with, opened from the environment in one place."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from nightshift.clock import Clock, clock_from_environment
from nightshift.depot import Depot
from nightshift.errors import NeedsOperator
from nightshift.ledger import Ledger, open_ledger
from nightshift.ledger.revision import check_revision
from nightshift.ledger.stamp import stamp
from nightshift.pins import deployment_now, survey_of_night
from nightshift.settings import Deployment, SettingsError, Survey, load_deployment
from nightshift.settings.archive import ArchivePolicy
from nightshift.settings.models import NightPolicy, Site, StoragePolicy
from nightshift.settings.retention import DiskPolicy, RetentionPolicy
from nightshift.vocabulary import Reason

__all__ = ["Context", "deployment_from_environment", "open_context", "survey_name"]


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
    def archive_policy(self) -> ArchivePolicy:
        """What of a night of the only site in scope is archived: the same for all of its instruments."""
        return self.deployment.surveys_of_site(self.site.name)[0].archive

    @property
    def storage_policy(self) -> StoragePolicy:
        """When the night waits for its disks: the strictest of what is in scope."""
        return max((survey.storage for survey in self.deployment.surveys), key=lambda policy: policy.least_free_mb)

    @property
    def retention_policy(self) -> RetentionPolicy:
        """How long files stay in the depot at the only site in scope."""
        return self.deployment.surveys_of_site(self.site.name)[0].retention

    @property
    def disk_policy(self) -> DiskPolicy:
        """When it is said that a disk fills up: by the settings of the first of what is in scope."""
        return self.deployment.surveys[0].disks

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

    def of_night(self, night: date | None) -> "Context":
        """Return it with the settings that hold for a night, whatever the survey's files hold by now.

        None: no night in particular; the settings stay as they are.
        """
        if night is None:
            return self
        surveys = [survey_of_night(self.ledger, survey, night) for survey in self.deployment.surveys]
        return replace(self, deployment=self.deployment.with_surveys(surveys))

    def with_survey(self, survey: Survey) -> "Context":
        """Return the context of one instrument with other settings."""
        return replace(self, deployment=Deployment.of(survey))


def deployment_from_environment() -> Deployment:
    """Return what the files of the survey hold that ``NIGHTSHIFT_SURVEY`` names, with all its instruments.

    Where they do not load, the settings of the nights that are under way serve: their workflows go on.
    """
    try:
        return load_deployment(survey_name())
    except SettingsError:
        if "NIGHTSHIFT_LEDGER" not in os.environ:
            raise
        with open_ledger() as ledger:
            return deployment_now(ledger, survey_name(), clock_from_environment().now())


def survey_name() -> str:
    """Return the survey that ``NIGHTSHIFT_SURVEY`` names."""
    return _from_environment("NIGHTSHIFT_SURVEY")


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SettingsError(f'{name} is not set; eval "$(nightshift environment --survey <name>)" sets all of them')
    return value


@contextmanager
def open_context(night: date | None = None) -> Iterator[Context]:
    """Open the context that the environment describes, and close its ledger afterwards.

    Its settings are those of the night that it works for: `night`, by default the one that is under way
    (`nightshift.pins`).

    ``NIGHTSHIFT_SURVEY``, ``NIGHTSHIFT_LEDGER``, ``NIGHTSHIFT_DEPOT``, ``NIGHTSHIFT_INBOX`` and, where the
    night is not live, ``NIGHTSHIFT_CLOCK``.

    Raises
    ------
    nightshift.errors.NeedsOperator
        If the ledger is another survey's, or its schema is not the one of this code.
    """
    clock = clock_from_environment()
    with open_ledger() as ledger:
        check_revision(ledger)
        deployment = deployment_now(ledger, survey_name(), clock.now())
        stamp(ledger, deployment.name, deployment.site_names)
        context = Context(
            deployment,
            ledger,
            Depot.from_environment(),
            Path(_from_environment("NIGHTSHIFT_INBOX")),
            clock,
        )
        yield context.of_night(night)
