"""One deployment: a survey with its sites and instruments, each as one `Survey`."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field as Key

from nightshift.settings.base_table import Table
from nightshift.settings.models import Site, Survey
from nightshift.settings.settings_error import SettingsError

__all__ = ["Deployment"]


class Deployment(Table):
    """A survey as one ledger and one Airflow serve it: the settings of each instrument, in order of their names.

    What works on one instrument or one site narrows the deployment once, by `of_instrument` or `of_site`, and passes
    on what it gets.

    Parameters
    ----------
    name, title : str
        The survey's.
    surveys : tuple of Survey
        One an instrument in scope.
    site_names, instrument_names : tuple of str
        All sites and instruments of the whole survey, also where the scope is narrower.
    file_patterns : tuple of str
        How each of these instruments names its files.
    without_settings : tuple of str
        The survey's instruments whose settings are nowhere to be had: the files do not load, and no night under way
        was opened with them. What they send waits.
    unread : str
        Why the files do not load, where that is so.
    """

    name: str
    title: str
    surveys: Annotated[tuple[Survey, ...], Key(min_length=1)]
    site_names: tuple[str, ...]
    instrument_names: tuple[str, ...]
    file_patterns: tuple[str, ...]
    without_settings: tuple[str, ...] = ()
    unread: str = ""

    @classmethod
    def of(cls, survey: Survey) -> "Deployment":
        """Return the deployment of a survey that has one instrument."""
        return cls.of_all((survey,))

    @classmethod
    def of_all(cls, surveys: Iterable[Survey]) -> "Deployment":
        """Return the deployment of a survey with all its instruments."""
        ordered = tuple(sorted(surveys, key=lambda survey: survey.camera.instrument))
        return cls(
            name=ordered[0].name,
            title=ordered[0].title,
            surveys=ordered,
            site_names=tuple(sorted({survey.site.name for survey in ordered})),
            instrument_names=tuple(survey.camera.instrument for survey in ordered),
            file_patterns=tuple(survey.camera.file_names.pattern for survey in ordered),
        )

    def while_unread(self, sites: Iterable[str], instruments: Iterable[str], why: str) -> "Deployment":
        """Return it as it stands while the files do not load: of some instruments only the names are known.

        Parameters
        ----------
        sites, instruments : iterable of str
            The names of all, as the survey's folder shows them.
        why : str
            Why the files do not load.
        """
        return self.model_copy(
            update={
                "site_names": tuple(sorted({*self.site_names, *sites})),
                "instrument_names": tuple(sorted({*self.instrument_names, *instruments})),
                "without_settings": tuple(sorted({*instruments} - {*self.instrument_names})),
                "unread": why,
            }
        )

    @property
    def instruments(self) -> tuple[str, ...]:
        """The names of the instruments in scope."""
        return tuple(survey.camera.instrument for survey in self.surveys)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites in scope, each once."""
        return tuple({survey.site.name: survey.site for survey in self.surveys}.values())

    @property
    def has_several_sites(self) -> bool:
        """Whether the whole survey has more than one site: then what is a night's needs its site's name."""
        return len(self.site_names) > 1

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The survey's sites and instruments that are out of scope."""
        here = {*self.instruments, *(site.name for site in self.sites)}
        return tuple(name for name in (*self.site_names, *self.instrument_names) if name not in here)

    @property
    def survey(self) -> Survey:
        """The settings of the only instrument in scope.

        Raises
        ------
        SettingsError
            If there are several: nobody has said which one is meant.
        """
        if len(self.surveys) > 1:
            raise SettingsError(
                f"{self.name} has the instruments {', '.join(self.instruments)}: say which one is meant "
                f"(--instrument, or {self.name}/{self.instruments[0]} as the survey's name)"
            )
        return self.surveys[0]

    @property
    def site(self) -> Site:
        """The only site in scope.

        Raises
        ------
        SettingsError
            If there are several: nobody has said which one is meant.
        """
        if len(self.sites) > 1:
            raise SettingsError(
                f"{self.name} has the sites {', '.join(site.name for site in self.sites)}: say which one is meant "
                "(--site)"
            )
        return self.sites[0]

    def site_named(self, name: str | None) -> Site:
        """Return the site that somebody named, or the only one in scope where nobody did.

        Raises
        ------
        SettingsError
            If there is no such site, or several and none is named; the message lists them.
        """
        return self.surveys_of_site(name)[0].site if name else self.site

    def survey_of(self, instrument: str) -> Survey:
        """Return the settings of one instrument.

        Raises
        ------
        SettingsError
            If it is not one of those in scope.
        """
        found = next((survey for survey in self.surveys if survey.camera.instrument == instrument), None)
        if found is None:
            raise SettingsError(
                f"{self.name} has no instrument {instrument!r}; there are {', '.join(self.instruments)}"
            )
        return found

    def surveys_of_site(self, site: str) -> tuple[Survey, ...]:
        """Return the settings of each instrument of one site.

        Raises
        ------
        SettingsError
            If it is not one of those in scope.
        """
        found = tuple(survey for survey in self.surveys if survey.site.name == site)
        if not found:
            names = ", ".join(known.name for known in self.sites)
            raise SettingsError(f"{self.name} has no site {site!r}; there are {names}")
        return found

    def fits_several(self, file_name: str) -> bool:
        """Whether a file's name fits several instruments of the whole survey: then its header tells them apart.

        So it may always where the names that some instrument gives to its files are not known.
        """
        return (
            bool(self.without_settings)
            or sum(re.fullmatch(pattern, file_name) is not None for pattern in self.file_patterns) > 1
        )

    def name_of(self, instrument: str) -> str:
        """Return what `load_survey` knows an instrument's settings by."""
        return self.name if len(self.instrument_names) == 1 else f"{self.name}/{instrument}"

    def of_instrument(self, instrument: str) -> "Deployment":
        """Return the deployment as one instrument sees it."""
        return self.with_surveys((self.survey_of(instrument),))

    def of_site(self, site: str) -> "Deployment":
        """Return the deployment as one site sees it."""
        return self.with_surveys(self.surveys_of_site(site))

    def of_work(self, keys: Mapping[str, str]) -> "Deployment":
        """Return the deployment as the instrument or the site that the natural keys of some work name sees it.

        Work of a site is done with the settings of the first of its instruments: the tables that it reads are the
        same for all of them. Keys that name neither leave it as it is.
        """
        if "instrument" in keys:
            return self.of_instrument(keys["instrument"])
        return self.with_surveys(self.surveys_of_site(keys["site"])[:1]) if "site" in keys else self

    def with_surveys(self, surveys: Iterable[Survey]) -> "Deployment":
        """Return it with these settings in scope: of fewer instruments, or other ones of the same."""
        return self.model_copy(update={"surveys": tuple(surveys)})
