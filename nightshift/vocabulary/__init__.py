"""The one vocabulary that programs write and operators read.

States, reason codes, kinds of events, measurements and the shapes of the files that the parts exchange are defined
here once.
The database's types and checks, the pages and the tests are held to these definitions
(``tests/unit/test_vocabulary.py``).
"""

from nightshift.vocabulary.event_kinds import EventKind, all_event_kinds, event_kind, kinds_ended_by
from nightshift.vocabulary.measurements import (
    Measurement,
    all_measurements,
    bounded_measurements,
    measurement_named,
)
from nightshift.vocabulary.reasons import Reason, ReasonEntry, reason_entries, reason_of
from nightshift.vocabulary.states import (
    AlertState,
    AttemptState,
    CalendarKind,
    CalibrationKind,
    CalibrationState,
    CheckState,
    Disposition,
    ErrorClass,
    EventLevel,
    ExposureState,
    ImageType,
    JobState,
    NightState,
    OutboxState,
    ReferenceState,
    Tier,
    UnitState,
)

__all__ = [
    "AlertState",
    "AttemptState",
    "CalendarKind",
    "CalibrationKind",
    "CalibrationState",
    "CheckState",
    "Disposition",
    "ErrorClass",
    "EventKind",
    "EventLevel",
    "ExposureState",
    "ImageType",
    "JobState",
    "Measurement",
    "NightState",
    "OutboxState",
    "Reason",
    "ReasonEntry",
    "ReferenceState",
    "Tier",
    "UnitState",
    "all_event_kinds",
    "all_measurements",
    "bounded_measurements",
    "event_kind",
    "kinds_ended_by",
    "measurement_named",
    "reason_entries",
    "reason_of",
]
