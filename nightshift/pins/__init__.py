"""What a night was opened with, its settings and code, which hold for all that works for it.

A change of the settings takes effect with the next night, unless an operator makes it hold now, with a reason.
"""

from nightshift.pins.pinned import deployment_now, pin_night, survey_of_night

__all__ = ["deployment_now", "pin_night", "survey_of_night"]
