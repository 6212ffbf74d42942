"""The one vocabulary that programs write and operators read.

States, reason codes and the shapes of the files that the parts exchange are defined here once.
The database's types and checks, the pages and the tests are held to these definitions
(``tests/unit/test_vocabulary.py``).
"""

from nightshift.vocabulary.reasons import Reason, ReasonEntry, reason_entries, reason_of
from nightshift.vocabulary.states import (
    AlertState,
    AttemptState,
    CalibrationKind,
    CalibrationState,
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
    "CalibrationKind",
    "CalibrationState",
    "Disposition",
    "ErrorClass",
    "EventLevel",
    "ExposureState",
    "ImageType",
    "JobState",
    "NightState",
    "OutboxState",
    "Reason",
    "ReasonEntry",
    "ReferenceState",
    "Tier",
    "UnitState",
    "reason_entries",
    "reason_of",
]
