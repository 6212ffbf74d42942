"""The settings that a night was opened with: recorded once, and read by all that works for it."""

import json
import logging
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from nightshift.code_version import code_version
from nightshift.errors import NeedsOperator
from nightshift.ledger import Ledger
from nightshift.nights import night_bounds
from nightshift.settings import SettingsError, Survey, load_survey
from nightshift.settings.stages import hashes_by_stage
from nightshift.vocabulary import NightState, Reason

__all__ = ["night_under_way", "pin_night", "pinned_survey", "survey_now", "survey_of_night"]

log = logging.getLogger(__name__)


def pin_night(ledger: Ledger, survey: Survey, night: date) -> None:
    """Open a night, and record with it the settings and the code that it is opened with.

    A night that has them keeps them. One that was opened before they were recorded gets them while it is open.
    """
    key = {"site": survey.site.name, "night": night}
    if ledger.value("nights", "is_pinned", **key):
        return
    begins, ends = night_bounds(survey.site, night)
    ledger.run(
        "nights", "pin_night",
        **key, begins=begins, ends=ends, code_version=code_version(), settings=survey.model_dump(mode="json"),
        settings_hashes=hashes_by_stage(survey),
    )  # fmt: skip


def survey_of_night(ledger: Ledger, survey: Survey, night: date) -> Survey:
    """Return the settings that hold for a night.

    Parameters
    ----------
    ledger : Ledger
    survey : Survey
        Which survey and site; it holds itself where the night was opened before settings were recorded.
    night : date

    Raises
    ------
    NeedsOperator
        If the night is not closed and its settings do not read by this code. Those of a closed night need not: what
        still comes of it is then done with the settings of `survey`, and its products' hashes show it.
    """
    row = ledger.row("nights", "pin", site=survey.site.name, night=night)
    if row is None or row["settings"] is None:
        return survey
    try:
        return pinned_survey(row)
    except NeedsOperator as error:
        if NightState(row["state"]) is not NightState.CLOSED:
            raise
        log.warning("the settings of the closed night %s are not used: %s", night, error)
        return survey


def survey_now(ledger: Ledger, name: str, now: datetime) -> Survey:
    """Return the settings that hold now: those of the night that is under way, or what the survey's files hold.

    Where the files do not load, the settings of the last night that is not closed serve.

    Raises
    ------
    SettingsError
        If the files do not load and no night's settings can serve.
    NeedsOperator
        If the settings of the night do not read by this code.
    """
    row = ledger.row("nights", "last_pin", survey=name, now=now)
    if row is not None and row["ends"] > now:
        return pinned_survey(row)
    try:
        return load_survey(name)
    except SettingsError:
        if row is None:
            raise
        return pinned_survey(row)


def night_under_way(ledger: Ledger, name: str, now: datetime) -> dict[str, Any] | None:
    """Return the row of the night that is under way and has settings of its own, or None."""
    row = ledger.row("nights", "last_pin", survey=name, now=now)
    return row if row is not None and row["ends"] > now else None


def pinned_survey(row: Mapping[str, Any]) -> Survey:
    """Return the settings in a night's row.

    Raises
    ------
    NeedsOperator
        If this code does not read them; the message names what to do.
    """
    try:
        return _validated(json.dumps(row["settings"], sort_keys=True))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'across tables'}: {item['msg']}"
            for item in error.errors()[:5]
        )
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the settings that the night {row['night']} was opened with, by code {row['code_version']}, do not read "
            f"by this code, {code_version()}: {wrong}. Either go back to the former code until the night is closed, "
            f"or have the night use what the files hold now: nightshift settings adopt --night {row['night']} "
            "--reason ...",
        ) from error


@lru_cache(maxsize=8)
def _validated(text: str) -> Survey:
    return Survey.model_validate_json(text)
