"""States and kinds. Each member has its sentence beside it; each enum is a type of the database."""

from enum import StrEnum


class ImageType(StrEnum):
    """What an exposure was taken for, as the camera's rules classify it."""

    BIAS = "bias"  # shutter closed, no exposure: the electronics' own pattern
    DARK = "dark"  # shutter closed for an exposure time: dark current
    FLAT = "flat"  # evenly lit, from twilight sky or dome: the response of each pixel
    SCIENCE = "science"  # the sky, to be calibrated, differenced and searched
    ENGINEERING = "engineering"  # focus, pointing and tests: registered, archived, not reduced


class Tier(StrEnum):
    """How final a product is."""

    PREVIEW = "preview"  # made at once with recent masters
    PROCESSED = "processed"  # made with the masters of its own night


class CalendarKind(StrEnum):
    """What a site announces of its time."""

    OUT_OF_SERVICE = "out_of_service"  # a detector or an instrument: nothing is expected of it
    ENGINEERING = "engineering"  # tests: frames are registered and archived, not reduced and not alerted
    DOWNTIME = "downtime"  # the dome is closed: nothing is expected; what comes is treated as always


class CheckState(StrEnum):
    """What a check of the afternoon found."""

    GREEN = "green"  # all is well
    YELLOW = "yellow"  # the night can begin, and somebody should look
    RED = "red"  # somebody must act before the night
    UNKNOWN = "unknown"  # the check had no answer, or not in time; never taken for green


class NightState(StrEnum):
    """The life of a night in the ledger."""

    OPEN = "open"  # frames may arrive and are reduced
    CLOSING = "closing"  # the end-of-night workflow runs
    CLOSED = "closed"  # accounted for, archived, reported
    UNBALANCED = "unbalanced"  # reported, but an identity does not close: somebody must look


class Disposition(StrEnum):
    """What became of a file that arrived. The four sum to all arrivals."""

    REGISTERED = "registered"  # a raw frame (or manifest) of the ledger
    DUPLICATE = "duplicate"  # the same name with the same content was already here
    CONFLICTING = "conflicting"  # the same name with other content was already here
    QUARANTINED = "quarantined"  # not usable, kept with its reason


class ExposureState(StrEnum):
    """Where an exposure is on its way."""

    ARRIVING = "arriving"  # some of its detectors' files are here
    RUNNING = "running"  # its workflow run was asked for
    ENDED = "ended"  # every unit of it has ended, one way or another


class UnitState(StrEnum):
    """How a unit of reduction stands. All but the first two are ends, and the night closes on them."""

    PENDING = "pending"  # registered, its work not asked for yet
    RUNNING = "running"  # an attempt is under way
    PROCESSED = "processed"  # reduced, its products are in the depot
    REJECTED = "rejected"  # measured and found not good enough; its measurements are kept
    FAILED = "failed"  # the work did not succeed within its bounds of retry
    MISSING = "missing"  # on the manifest and never seen
    HELD = "held"  # waits for an operator or for a calibration

    @property
    def ended(self) -> bool:
        """Whether nothing further will happen by itself."""
        return self not in (UnitState.PENDING, UnitState.RUNNING)


class JobState(StrEnum):
    """What a runner says of one task of an array. A failed question is UNKNOWN, never DONE."""

    PENDING = "pending"  # accepted, not started
    RUNNING = "running"  # a process works on it
    DONE = "done"  # ended with exit code zero; only its own result file says whether it succeeded
    FAILED = "failed"  # ended with another exit code
    CANCELLED = "cancelled"  # ended because somebody asked for it
    TIMEOUT = "timeout"  # ended by its time limit
    OUT_OF_MEMORY = "out_of_memory"  # ended by its memory limit
    NODE_FAILED = "node_failed"  # the machine under it went away, or it was preempted
    LOST = "lost"  # absent from every source beyond the grace period, with all sources healthy
    UNKNOWN = "unknown"  # could not be asked: neither done nor lost

    @property
    def ended(self) -> bool:
        """Whether the task will not run any further by itself."""
        return self not in (JobState.PENDING, JobState.RUNNING, JobState.UNKNOWN)


class AttemptState(StrEnum):
    """How one attempt at a unit stands."""

    INTENDED = "intended"  # written down, before the runner was asked
    SUBMITTED = "submitted"  # the runner has it
    SUCCEEDED = "succeeded"  # its own result file says so, with the attempt's token
    REJECTED = "rejected"  # its result file says that the input is not good enough
    FAILED = "failed"  # its result file or the runner says so
    LOST = "lost"  # it never ended within its deadline
    SUPERSEDED = "superseded"  # a newer attempt took its place; its late output is not believed


class ErrorClass(StrEnum):
    """Who must act on an error."""

    BAD_INPUT = "bad_input"  # nobody: the same input fails again; set it aside and go on
    RETRY = "retry"  # the machine: the same thing may work later
    RESOURCES = "resources"  # the machine, with more memory or time
    NEEDS_OPERATOR = "needs_operator"  # a human, and the text says what to do


class CalibrationKind(StrEnum):
    """The kinds of master calibration."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"


class CalibrationState(StrEnum):
    """How a master stands."""

    IN_SERVICE = "in_service"  # may be used within its validity
    REJECTED = "rejected"  # built and found unlike what it should be
    WITHDRAWN = "withdrawn"  # taken out of service by an operator or by the loss of a frame


class ReferenceState(StrEnum):
    """How a version of a reference stands."""

    BUILT = "built"  # made, waits for approval or for its night
    IN_SERVICE = "in_service"  # differenced against from its validity on
    UNSET = "unset"  # found bad in use; the last usable version serves again
    REJECTED = "rejected"  # never served


class AlertState(StrEnum):
    """How an alert stands; with its outbox row, the whole way out."""

    HELD = "held"  # written with its candidate, before the gather looked at the whole exposure
    RELEASED = "released"  # encoded, may be sent
    SENT = "sent"  # acknowledged by the broker; never changes again
    WITHHELD = "withheld"  # kept back, with its reason
    RETRACTED = "retracted"  # sent, and called back by a message of its own


class OutboxState(StrEnum):
    """How one message to one topic stands."""

    HELD = "held"  # not to be sent yet
    QUEUED = "queued"  # to be sent
    ACKNOWLEDGED = "acknowledged"  # the broker said that it has it
    WITHHELD = "withheld"  # will not be sent


class EventLevel(StrEnum):
    """How loud an event of the night is."""

    INFO = "info"  # for the record
    WARNING = "warning"  # out of the ordinary; the night goes on by itself
    ERROR = "error"  # something was lost to the night, with its reason
    PAGE = "page"  # a human must act
