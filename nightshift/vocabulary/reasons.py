"""Reason codes: why something ended otherwise than hoped, in the words of the morning mail."""

from dataclasses import dataclass
from enum import StrEnum

from nightshift.vocabulary.states import ErrorClass
from reduction.problems import Problem


class Reason(StrEnum):
    """One code for one cause. The code is stored; the sentence is shown."""

    # of files that arrive
    NAME_NOT_RECOGNISED = "name_not_recognised"
    NAME_UNSAFE = "name_unsafe"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    EMPTY_FILE = "empty_file"
    TRUNCATED_FILE = "truncated_file"
    UNREADABLE_FILE = "unreadable_file"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    TOO_LARGE = "too_large"
    HEADER_INCOMPLETE = "header_incomplete"
    HEADER_IMPOSSIBLE = "header_impossible"
    WRONG_CAMERA = "wrong_camera"
    WRONG_SHAPE = "wrong_shape"
    NAME_CONFLICT = "name_conflict"
    EXPOSURE_ID_REPEATS = "exposure_id_repeats"
    IMAGE_TYPE_NOT_RECOGNISED = "image_type_not_recognised"
    MANIFEST_MISMATCH = "manifest_mismatch"
    MANIFEST_INVALID = "manifest_invalid"
    NEVER_ARRIVED = "never_arrived"
    NOT_ON_MANIFEST = "not_on_manifest"
    CAME_LATE = "came_late"
    MONTH_DETACHED = "month_detached"
    # of what a site announces
    OUT_OF_SERVICE = "out_of_service"
    ENGINEERING_TIME = "engineering_time"
    # of calibration frames and masters
    FILTER_MISMATCH = "filter_mismatch"
    SATURATED = "saturated"
    LEVEL_OUT_OF_RANGE = "level_out_of_range"
    OFF_THE_RAMP = "off_the_ramp"
    UNLIKE_ITS_FELLOWS = "unlike_its_fellows"
    UNLIKE_LAST_MASTER = "unlike_last_master"
    TOO_FEW_FRAMES = "too_few_frames"
    GAIN_DISAGREES = "gain_disagrees"
    READ_NOISE_DISAGREES = "read_noise_disagrees"
    CROSSTALK_LEFT = "crosstalk_left"
    CALIBRATION_MISSING = "calibration_missing"
    CALIBRATION_SUBSTITUTED = "calibration_substituted"
    # of science frames
    NO_SIGNAL = "no_signal"
    SATELLITE_TRAIL = "satellite_trail"
    TOO_FEW_STARS = "too_few_stars"
    ASTROMETRY_FAILED = "astrometry_failed"
    PHOTOMETRY_FAILED = "photometry_failed"
    OWN_CATALOGUE = "own_catalogue"
    SHUTTER_CLOSED = "shutter_closed"
    PATTERN_NOISE = "pattern_noise"
    READOUT_NOISY = "readout_noisy"
    POINTING_OFF = "pointing_off"
    CLOUDY = "cloudy"
    BACKGROUND_TOO_HIGH = "background_too_high"
    SEEING_TOO_POOR = "seeing_too_poor"
    ELONGATED = "elongated"
    TOO_SHALLOW = "too_shallow"
    NO_REFERENCE = "no_reference"
    REFERENCE_UNUSABLE = "reference_unusable"
    DIFFERENCE_FAILED = "difference_failed"
    TOO_MANY_CANDIDATES = "too_many_candidates"
    # of jobs
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    NO_RESULT = "no_result"
    RESULT_INVALID = "result_invalid"
    INPUT_LOST = "input_lost"
    CANCELLED = "cancelled"
    NIGHT_ENDED = "night_ended"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"
    # of people
    OPERATOR_REJECTED = "operator_rejected"
    OPERATOR_ACCEPTED = "operator_accepted"
    # of alerts
    FLOOD = "flood"


@dataclass(frozen=True)
class ReasonEntry:
    """A reason code with what is shown for it."""

    code: Reason
    error_class: ErrorClass
    sentence: str


_BAD, _RETRY = ErrorClass.BAD_INPUT, ErrorClass.RETRY
_RESOURCES, _HUMAN = ErrorClass.RESOURCES, ErrorClass.NEEDS_OPERATOR

_ENTRIES: dict[Reason, tuple[ErrorClass, str]] = {
    Reason.NAME_NOT_RECOGNISED: (_BAD, "The file's name does not follow the camera's pattern."),
    Reason.NAME_UNSAFE: (_BAD, "The file's name holds characters that no camera writes."),
    Reason.NOT_A_REGULAR_FILE: (_BAD, "It is a link or a special file, not a regular one."),
    Reason.EMPTY_FILE: (_BAD, "The file has no bytes."),
    Reason.TRUNCATED_FILE: (_BAD, "The file ends before its header says that it should."),
    Reason.UNREADABLE_FILE: (_BAD, "The file does not read as FITS."),
    Reason.CHECKSUM_MISMATCH: (_BAD, "The content does not match the checksum that came with it."),
    Reason.TOO_LARGE: (_BAD, "The file is larger, packed or unpacked, than this camera's frames can be."),
    Reason.HEADER_INCOMPLETE: (_BAD, "The header lacks a keyword that the reduction needs."),
    Reason.HEADER_IMPOSSIBLE: (_BAD, "A header value is of the wrong type or cannot be true."),
    Reason.WRONG_CAMERA: (_BAD, "The header names another camera."),
    Reason.WRONG_SHAPE: (_BAD, "The image's size or number of extensions is not this camera's."),
    Reason.NAME_CONFLICT: (_HUMAN, "A file of this name with other content is already registered."),
    Reason.EXPOSURE_ID_REPEATS: (_HUMAN, "The camera gave its exposure's id to another exposure before."),
    Reason.IMAGE_TYPE_NOT_RECOGNISED: (_BAD, "No rule of the camera says what this image was taken for."),
    Reason.MANIFEST_MISMATCH: (_HUMAN, "The content differs from what the mountain's manifest says was sent."),
    Reason.MANIFEST_INVALID: (_HUMAN, "The manifest does not read as one."),
    Reason.NEVER_ARRIVED: (_HUMAN, "The mountain's manifest names it, and it never arrived."),
    Reason.NOT_ON_MANIFEST: (_HUMAN, "It came, and no manifest of the mountain names it."),
    Reason.CAME_LATE: (_BAD, "It came after its night had been closed."),
    Reason.MONTH_DETACHED: (_BAD, "The month of its night has left the ledger: attach it first."),
    Reason.OUT_OF_SERVICE: (
        _BAD,
        "The detector was out of service by the calendar; its frames are kept, not used.",
    ),
    Reason.ENGINEERING_TIME: (_BAD, "It was taken in engineering time; the frame is kept, not used."),
    Reason.FILTER_MISMATCH: (_BAD, "The frame is in another filter than its set."),
    Reason.SATURATED: (_BAD, "Too many pixels are saturated."),
    Reason.LEVEL_OUT_OF_RANGE: (_BAD, "The level lies outside the range that is useful."),
    Reason.OFF_THE_RAMP: (_BAD, "The flat's light does not follow the twilight's: clouds, a lamp, or a wrong time."),
    Reason.UNLIKE_ITS_FELLOWS: (_BAD, "The frame differs from the others of its set."),
    Reason.UNLIKE_LAST_MASTER: (_HUMAN, "The new master differs from the last good one."),
    Reason.TOO_FEW_FRAMES: (_BAD, "Too few good frames for a master."),
    Reason.GAIN_DISAGREES: (_HUMAN, "The gain measured on the flats is not the settings'; the measured one serves."),
    Reason.READ_NOISE_DISAGREES: (
        _HUMAN,
        "The read noise measured on the biases is not the settings'; the measured one serves.",
    ),
    Reason.CROSSTALK_LEFT: (_BAD, "An amplifier that this one hears does not read; its crosstalk was not taken out."),
    Reason.CALIBRATION_MISSING: (_HUMAN, "No usable master calibration was found."),
    Reason.CALIBRATION_SUBSTITUTED: (_BAD, "A master of another night served in place of the missing one."),
    Reason.NO_SIGNAL: (_BAD, "The pixels hold one value: a dead detector or a broken readout."),
    Reason.SATELLITE_TRAIL: (_BAD, "A trail of a satellite or aircraft crosses it; its pixels are masked."),
    Reason.TOO_FEW_STARS: (_BAD, "Too few stars to measure by: clouds, a closed shutter, or an empty field."),
    Reason.ASTROMETRY_FAILED: (_BAD, "The stars do not match the catalogue where the telescope says it pointed."),
    Reason.PHOTOMETRY_FAILED: (_BAD, "No zero point could be measured."),
    Reason.OWN_CATALOGUE: (_BAD, "The field has no catalogue; its own first good frame served as one."),
    Reason.SHUTTER_CLOSED: (_BAD, "The sky gives no light: the shutter stayed closed."),
    Reason.PATTERN_NOISE: (_BAD, "The readout left a regular pattern in the noise."),
    Reason.READOUT_NOISY: (_BAD, "The read noise is not what this amplifier has."),
    Reason.POINTING_OFF: (_BAD, "The telescope looked elsewhere than it says."),
    Reason.CLOUDY: (_BAD, "The stars are much fainter than in a clear sky."),
    Reason.BACKGROUND_TOO_HIGH: (_BAD, "The sky background is too high."),
    Reason.SEEING_TOO_POOR: (_BAD, "The stars are too wide."),
    Reason.ELONGATED: (_BAD, "The stars are elongated: tracking, wind or focus."),
    Reason.TOO_SHALLOW: (_BAD, "The frame is too shallow."),
    Reason.NO_REFERENCE: (_BAD, "The field has no reference in this filter yet."),
    Reason.REFERENCE_UNUSABLE: (_HUMAN, "The reference cannot be used with this frame."),
    Reason.DIFFERENCE_FAILED: (_BAD, "The difference is too poor to search."),
    Reason.TOO_MANY_CANDIDATES: (_HUMAN, "More candidates than the sky can have: a bad difference."),
    Reason.OUT_OF_MEMORY: (_RESOURCES, "The job needed more memory than it had."),
    Reason.TIMEOUT: (_RESOURCES, "The job needed more time than it had."),
    Reason.WORKER_LOST: (_RETRY, "The process or machine that worked on it went away."),
    Reason.NO_RESULT: (_RETRY, "The job ended and left no result."),
    Reason.RESULT_INVALID: (_RETRY, "The job left a result that does not read or is not its own."),
    Reason.INPUT_LOST: (_HUMAN, "An input is not where the ledger says, or its checksum has changed."),
    Reason.CANCELLED: (_HUMAN, "Somebody cancelled it."),
    Reason.NIGHT_ENDED: (_HUMAN, "The night's deadline passed before its work had ended."),
    Reason.STORAGE_UNAVAILABLE: (_RETRY, "A disk is full, read-only or not mounted."),
    Reason.INTERNAL_ERROR: (_HUMAN, "The program failed where it should not: a defect to report."),
    Reason.OPERATOR_REJECTED: (_BAD, "An operator rejected it."),
    Reason.OPERATOR_ACCEPTED: (_BAD, "An operator accepted it."),
    Reason.FLOOD: (_HUMAN, "More alerts than the exposure can have; kept back until somebody looks."),
}


def reason_of(problem: Problem) -> Reason:
    """Return the reason code of what pixels are unfit for."""
    return Reason(problem.value)


def reason_entries() -> tuple[ReasonEntry, ...]:
    """Return every reason code with its class and sentence, in the order of definition."""
    return tuple(ReasonEntry(code, *_ENTRIES[code]) for code in Reason)
