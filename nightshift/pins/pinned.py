"""The settings that a night was opened with: recorded once, and read by all that works for it."""

import json
import logging
from datetime import date, datetime
from functools import lru_cache

from pydantic import ValidationError

from nightshift.code_version import code_version
from nightshift.errors import NeedsOperator
from nightshift.ledger import Ledger
from nightshift.ledger.queries import nights as nights_queries
from nightshift.ledger.queries.nights import Pin
from nightshift.nights import night_bounds
from nightshift.settings import Deployment, SettingsError, Survey, load_deployment, names_in_folder
from nightshift.settings.stages import hashes_by_stage
from nightshift.vocabulary import NightState, Reason

__all__ = [
    "deployment_now",
    "nights_under_way",
    "pin_night",
    "pinned_survey",
    "pinned_surveys",
    "survey_of_night",
]

log = logging.getLogger(__name__)


def pin_night(ledger: Ledger, survey: Survey, night: date) -> None:
    """Open a night at an instrument's site, and record with it the instrument's settings and the code.

    A night that has them keeps them. One that was opened before they were recorded gets them while it is open.
    """
    site, instrument = survey.site.name, survey.camera.instrument
    if nights_queries.is_pinned(ledger, site=site, night=night, instrument=instrument):
        return
    begins, ends = night_bounds(survey.site, night)
    nights_queries.pin_night(
        ledger, site=site, night=night, instrument=instrument, begins=begins, ends=ends, survey=survey.name,
        code_version=code_version(), settings=survey.model_dump(mode="json"), hashes=hashes_by_stage(survey),
    )  # fmt: skip


def survey_of_night(ledger: Ledger, survey: Survey, night: date) -> Survey:
    """Return the settings of an instrument that hold for a night.

    Parameters
    ----------
    ledger : Ledger
    survey : Survey
        Of the instrument; it holds itself where the night was opened before its settings were recorded.
    night : date

    Raises
    ------
    NeedsOperator
        If the night is not closed and its settings do not read by this code. Those of a closed night need not: what
        still comes of it is then done with the settings of `survey`, and its products' hashes show it.
    """
    row = nights_queries.pin(ledger, site=survey.site.name, night=night)
    if row is None:
        return survey
    try:
        return pinned_survey(row, survey.camera.instrument) or survey
    except NeedsOperator as error:
        if row.state is not NightState.CLOSED:
            raise
        log.warning("the settings of the closed night %s are not used: %s", night, error)
        return survey


def deployment_now(ledger: Ledger, name: str, now: datetime) -> Deployment:
    """Return the settings that hold now: of each site those of the night under way, else what the files hold.

    Where the files do not load, the settings of the last night of each site that is not closed serve. Instruments
    that are in none of these nights are then named in ``without_settings``: what they send waits in the inbox.

    Parameters
    ----------
    ledger : Ledger
    name : str
        The survey's, or ``survey/instrument``.
    now : datetime
        By the night's clock.

    Raises
    ------
    SettingsError
        If the files do not load and no night's settings can serve.
    NeedsOperator
        If the settings of a night do not read by this code.
    """
    survey, _, instrument = name.partition("/")
    rows = {row.site: row for row in nights_queries.last_pins(ledger, survey=survey, now=now)}
    try:
        files = load_deployment(name)
    except SettingsError as error:
        if not rows:
            raise
        pinned = Deployment.of_all(found for row in rows.values() for found in pinned_surveys(row))
        pinned = pinned.while_unread(*names_in_folder(survey), str(error))
        return pinned.of_instrument(instrument) if instrument else pinned
    under_way = {site: row for site, row in rows.items() if row.ends > now}
    return files.with_surveys(_of_night(own, under_way.get(own.site.name)) for own in files.surveys)


def _of_night(survey: Survey, row: Pin | None) -> Survey:
    return survey if row is None else pinned_survey(row, survey.camera.instrument) or survey


def nights_under_way(ledger: Ledger, survey: str, now: datetime) -> list[Pin]:
    """Return of each site the row of the night that is under way and has settings of its own."""
    return [row for row in nights_queries.last_pins(ledger, survey=survey, now=now) if row.ends > now]


def pinned_surveys(row: Pin) -> list[Survey]:
    """Return the settings of each instrument in a night's row; errors as of `pinned_survey`."""
    found = (pinned_survey(row, instrument) for instrument in sorted((row.settings or {}).get("instruments", {})))
    return [survey for survey in found if survey is not None]


def pinned_survey(row: Pin, instrument: str) -> Survey | None:
    """Return the settings of an instrument in a night's row; None where the night has none of it.

    Raises
    ------
    NeedsOperator
        If this code does not read them; the message names what to do.
    """
    plain = ((row.settings or {}).get("instruments") or {}).get(instrument)
    if plain is None:
        return None
    try:
        return _validated(json.dumps(plain, sort_keys=True))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'across tables'}: {item['msg']}"
            for item in error.errors()[:5]
        )
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the settings that the night {row.night} was opened with, by code {row.code_version}, do not read "
            f"by this code, {code_version()}: {wrong}. Either go back to the former code until the night is closed, "
            f"or have the night use what the files hold now: nightshift settings adopt --site {row.site} "
            f"--night {row.night} --reason ...",
        ) from error


@lru_cache(maxsize=64)
def _validated(text: str) -> Survey:
    return Survey.model_validate_json(text)
