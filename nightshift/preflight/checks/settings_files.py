"""Whether the settings' files load, and what differs from what a night under way was opened with."""

from nightshift.observing_calendar.entries import told
from nightshift.pins.changes import changes_since_opening
from nightshift.preflight.check import Afternoon, Finding, check, green, red, yellow
from nightshift.settings import SettingsError, load_deployment
from nightshift.settings.calendar_table import load_calendar

__all__ = ["check_calendar", "check_settings"]


@check("settings", "Settings")
def check_settings(afternoon: Afternoon) -> Finding:
    """Load the files, and compare them with the settings of the night under way."""
    context = afternoon.context
    name = context.deployment.name
    try:
        load_deployment(name)
    except SettingsError as error:
        return red(f"config/{name} does not load: {error}"[:500], "Correct the file before the night begins.")
    changes = changes_since_opening(context.ledger, name, context.clock.now())
    if changes:
        return yellow(" ".join(changes)[:800], "See them: nightshift settings show.", number=len(changes))
    return green(f"config/{name} loads, and is what the night goes by")


@check("calendar", "Calendar")
def check_calendar(afternoon: Afternoon) -> Finding:
    """Load the calendar's file, and say what is announced for the night."""
    try:
        load_calendar(load_deployment(afternoon.context.deployment.name))
    except SettingsError as error:
        return red(f"{error}"[:500], "Correct the file: what it held before still holds.")
    announced = afternoon.plan.announced if afternoon.plan is not None else ()
    sentence = "; ".join(told(entry) for entry in announced) or "Everything is in service"
    return green(sentence, number=len(announced), unit="entries")
