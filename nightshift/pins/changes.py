"""Where the files differ from what a night was opened with: said once, and adopted when a person asks for it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from nightshift.code_version import code_version
from nightshift.errors import BadInput
from nightshift.ledger import Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import nights as nights_queries
from nightshift.ledger.queries.nights import Pin
from nightshift.pins.pinned import nights_under_way, pinned_surveys
from nightshift.settings import SettingsError, Survey, load_deployment, settings_hash
from nightshift.settings.stages import hashes_by_stage
from nightshift.vocabulary import EventLevel, NightState, Reason

__all__ = ["adopt", "changed_keys", "changes_since_opening", "notice_changes"]

MOST_KEYS = 6  # named in one sentence


def notice_changes(ledger: Ledger, name: str, now: datetime) -> None:
    """Say once, as a warning of the night, each thing that differs from what it was opened with."""
    for kind, subject, text in _changes(ledger, name, now):
        if not ledger_queries.event_said_so(ledger, kind=kind, subject=subject, message=text):
            ledger.event(EventLevel.WARNING, kind, text, subject=subject, night_time=now)


def changes_since_opening(ledger: Ledger, name: str, now: datetime) -> list[str]:
    """Return what differs from what the night under way was opened with, a sentence each; empty where nothing does.

    Parameters
    ----------
    ledger : Ledger
    name : str
        The survey's.
    now : datetime
        By the night's clock.
    """
    return [text for _, _, text in _changes(ledger, name, now)]


def _changes(ledger: Ledger, name: str, now: datetime) -> list[tuple[str, str, str]]:
    """Return kind, subject and text of each event to write."""
    found = []
    for row in nights_under_way(ledger, name, now):
        subject = f"{row.site}/{row.night:%Y%m%d}"
        if text := _changed_settings(row, name):
            found.append(("settings_changed", subject, text))
        if row.code_version != code_version():
            text = f"The night was opened by code {row.code_version}; code {code_version()} runs now."
            found.append(("code_changed", subject, text))
    return found


def _changed_settings(row: Pin, name: str) -> str | None:
    try:
        files = load_deployment(name).surveys_of_site(row.site)
    except SettingsError as error:
        return (
            f"config/{name} does not load any more; the night goes on with the settings that it was opened with. "
            f"Correct it before the next night begins: {error}"
        )[:1000]
    pinned = pinned_surveys(row)
    keys = changed_keys(_plain(pinned), _plain([own for own in files if _is_among(own, pinned)]))
    if not keys:
        return None
    named = ", ".join(list(keys)[:MOST_KEYS]) + (", ..." if len(keys) > MOST_KEYS else "")
    hashed = " ".join(settings_hash(survey) for survey in files)
    return (
        f"config/{name} changed since the night opened ({named}; settings {hashed}): it holds from the "
        f"night {row.night + timedelta(days=1)} on; `nightshift settings adopt --site {row.site} "
        f"--night {row.night} --reason ...` makes it hold now."
    )


def _is_among(survey: Survey, pinned: Sequence[Survey]) -> bool:
    """Whether a night has settings of that instrument: each is recorded with the instrument's first file."""
    return any(other.camera.instrument == survey.camera.instrument for other in pinned)


def _plain(surveys: Sequence[Survey]) -> dict[str, Any]:
    """Return settings by instrument, of the only one by themselves: their keys are then as in the files.

    Who hears messages holds at once as the files have it, and is no setting of a night.
    """
    plain = {survey.camera.instrument: survey.model_dump(mode="json", exclude={"messages"}) for survey in surveys}
    return next(iter(plain.values())) if len(surveys) == 1 else plain


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """Return the settings that differ, by their dotted key, each with the value before and after."""
    found: dict[str, list[Any]] = {}
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= changed_keys(old, new, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = [old, new]
    return found


def adopt(
    ledger: Ledger, surveys: Sequence[Survey], night: date, *, operator: str, reason: str, account: str = "",
    now: datetime,
) -> str:  # fmt: skip
    """Make the settings of the files, and the code that runs, hold for a site's night from now on.

    What is under way goes on with the settings of its job file; what is planned after this uses the new ones.

    Parameters
    ----------
    ledger : Ledger
    surveys : sequence of Survey
        As the files hold them: one an instrument of the site.
    night : date
    operator, reason : str
        Who asks for it, and why; kept in the audit with every value before and after.
    account : str
        Of the machine, where the operator's name is only said.
    now : datetime
        By the night's clock.

    Returns
    -------
    str
        What was done.

    Raises
    ------
    BadInput
        If name or reason is missing, the ledger has no such night, or it is closed.
    """
    if not (operator.strip() and reason.strip()):
        raise BadInput(Reason.INTERNAL_ERROR, "say who you are and why (--reason): both are kept in the audit")
    site = surveys[0].site.name
    with ledger.transaction():
        row = _open_night(nights_queries.lock_pin(ledger, site=site, night=night), surveys[0], night)
        plain = {survey.camera.instrument: survey.model_dump(mode="json") for survey in surveys}
        pinned = (row.settings or {}).get("instruments", {})
        changed = changed_keys(pinned, plain) if len({*pinned, *plain}) > 1 else _changed_of_one(pinned, plain)
        before = row.code_version
        if pinned and not changed and before == code_version():
            return f"The night {night} has these settings and this code already; nothing was changed."
        nights_queries.set_pin(
            ledger, site=site, night=night, code_version=code_version(), survey=surveys[0].name, settings=plain,
            settings_hashes={survey.camera.instrument: hashes_by_stage(survey) for survey in surveys},
        )  # fmt: skip
        text = f"The night {night} uses the settings of the files from now on ({', '.join(changed) or 'no change'})."
        _write_down(ledger, f"{site}/{night:%Y%m%d}", text, operator=operator, reason=reason, now=now, detail={
            "changed": changed, "code_version": [before, code_version()], "account": account,
        })  # fmt: skip
    return text


def _changed_of_one(pinned: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, list[Any]]:
    (instrument,) = plain
    return changed_keys(pinned.get(instrument, {}), plain[instrument])


def _open_night(row: Pin | None, survey: Survey, night: date) -> Pin:
    """Return the row of a night that may be changed; refuse a night that is not known or closed."""
    if row is None:
        raise BadInput(
            Reason.NEVER_ARRIVED,
            f"the ledger of {survey.site.name} has no night of {night}: it will be opened with what the files hold. "
            "A night is named by the date of its evening.",
        )
    if row.state is NightState.CLOSED:
        raise BadInput(
            Reason.INTERNAL_ERROR,
            f"the night {night} is closed: what was made of it stands with the settings that made it, and nothing "
            "was changed",
        )
    return row


def _write_down(
    ledger: Ledger, subject: str, text: str, *, operator: str, reason: str, now: datetime,
    detail: dict[str, Any],
) -> None:  # fmt: skip
    ledger_queries.put_audit(ledger, operator=operator, action="adopt_settings", subject=subject,
        detail={"reason": reason, "text": text, **detail},
    )  # fmt: skip
    ledger.event(
        EventLevel.INFO, "settings_adopted",
        f"{operator} has the night use the changed settings: {reason}. {text}"[:1000],
        subject=subject, night_time=now,
    )  # fmt: skip
