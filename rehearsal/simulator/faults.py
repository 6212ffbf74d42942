"""What goes wrong in a night, on request: each fault with the reason that it must lead to, and where it must end.

The registry is the one list: the simulator injects from it, the truth table repeats it, the fault tests hold the
whole pipeline to it, and ``docs/faults.md`` is made from it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from nightshift.errors import BadInput
from nightshift.settings import Survey
from nightshift.vocabulary import ImageType, Reason
from rehearsal.simulator import fault_files as files
from rehearsal.simulator.geometry import Pointing
from rehearsal.simulator.night_plan import Exposure
from rehearsal.simulator.transfer import Transfer

__all__ = ["ALL", "FAULTS", "Ends", "Fault", "FaultRequest", "Hits", "faults_of_each", "read_requests"]

ALL = "all"


class Ends(StrEnum):
    """Where a fault ends. Each is a place of the morning's mail."""

    QUARANTINED = "quarantined"  # the file lies in quarantine; units that it should have brought have failed
    CONFLICTING = "conflicting"  # the file is kept aside, the one that came before it stays
    DUPLICATE = "duplicate"  # it changes nothing
    MISSING = "missing"  # the file is on the manifest and never came
    REJECTED = "rejected"  # the units are measured, or invalid by the manifest, and rejected
    FLAGGED = "flagged"  # the units are processed and carry the reason as a flag
    KEPT_OUT = "kept out"  # the calibration frame is in no master
    NOTED = "noted"  # the frame is used, and the mail names it
    USED = "used"  # as if nothing had happened


class Hits(StrEnum):
    """What a fault is done to."""

    EXPOSURE = "exposure"  # before the shutter opens: every detector sees it
    DETECTOR = "detector"  # the pixels of one detector
    FILE = "file"  # one detector's file, after it was written
    NIGHT = "night"  # something that comes beside the files


@dataclass(frozen=True)
class Fault:
    """One way in which a night goes wrong.

    Parameters
    ----------
    name : str
        As it is asked for.
    sentence : str
        What happens.
    reason : Reason or None
        The code that the ledger must hold; None where the fault must leave no trace.
    ends : Ends
    hits : Hits
    image_type : ImageType
        Of the exposures that it is done to.
    disturb : callable, optional
        ``(exposure, detector, survey) -> exposure``, for what light and electronics do.
    spoil : callable, optional
        ``(transfer, file name, survey) -> None``, for what happens to files. It may rename what is hit, and then
        returns the new name.
    last : bool
        Whether it hits the last exposure of its type, and not one that is drawn.
    loses : bool
        Whether the frame is lost for references.
    """

    name: str
    sentence: str
    reason: Reason | None
    ends: Ends
    hits: Hits
    image_type: ImageType = ImageType.SCIENCE
    disturb: Callable[[Exposure, int, Survey], Exposure] | None = None
    spoil: Callable[[Transfer, str, Survey], str | None] | None = None
    last: bool = False
    loses: bool = True


@dataclass(frozen=True)
class FaultRequest:
    """A fault that was asked for; the selector is a part of the names of the files that it may hit."""

    fault: Fault
    selector: str = ""


def read_requests(asked: Iterable[str]) -> tuple[FaultRequest, ...]:
    """Read what was asked for: ``NAME``, ``NAME:SELECTOR``, or ``all``, also several of them behind commas.

    Raises
    ------
    BadInput
        If there is no such fault; the message lists them.
    """
    requests = []
    for word in (w.strip() for text in asked for w in text.split(",")):
        name, _, selector = word.partition(":")
        if name == ALL:
            requests += [FaultRequest(fault) for fault in FAULTS.values()]
        elif name in FAULTS:
            requests.append(FaultRequest(FAULTS[name], selector))
        elif word:
            raise BadInput(
                Reason.INTERNAL_ERROR, f"there is no fault {name!r}; there are {ALL}, {', '.join(sorted(FAULTS))}"
            )
    return tuple(requests)


def faults_of_each(asked: Iterable[str], instruments: Sequence[str]) -> dict[str, tuple[FaultRequest, ...]]:
    """Read which faults were asked for of each of several instruments: ``INSTRUMENT/NAME[:SELECTOR]``.

    Of one instrument its name may be left out.

    Raises
    ------
    BadInput
        If a word names none of several instruments, or there is no such fault; the message lists what there is.
    """
    words: dict[str, list[str]] = {instrument: [] for instrument in instruments}
    for word in (w.strip() for text in asked for w in text.split(",")):
        instrument, slash, fault = word.rpartition("/")
        if not slash and len(instruments) == 1:
            (instrument,) = instruments
        if word and instrument not in words:
            raise BadInput(
                Reason.INTERNAL_ERROR,
                f"{word}: say whose fault it is to be, as {instruments[0]}/{fault}; there are the instruments "
                f"{', '.join(instruments)}",
            )
        if word:
            words[instrument].append(fault)
    return {instrument: read_requests(faults) for instrument, faults in words.items()}


# --- light and electronics ------------------------------------------------------------------------------------


def _no_light(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    return replace(exposure, sky=0.0, zero_point=DARKNESS)


def _clouds(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    return replace(exposure, sky=2.0 * exposure.sky, zero_point=DARKNESS)


def _saturated(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    quadrant = survey.camera.quadrants[0]
    return replace(exposure, sky=1.5 * quadrant.saturation * quadrant.gain)


def _trailed(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    # almost five times as long as wide, and so much light on so many more pixels
    return replace(exposure, seeing_arcsec=1.4 * exposure.seeing_arcsec, ellipticity=(0.65, 0.0))


def _half_a_degree_off(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    assert exposure.pointing is not None
    true = exposure.pointing
    return replace(exposure, pointing=Pointing(true.ra_deg, true.dec_deg - 0.5, true.rotation_deg))


def _warm(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    return replace(exposure, warmth=30.0)


def _other_filter(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    others = [f.name for f in survey.sky.filters if f.name != exposure.filter]
    if not others:
        raise BadInput(Reason.FILTER_MISMATCH, f"survey {survey.name} has one filter: no flat can be in another")
    return replace(exposure, filter=others[0])


def _satellites(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    return replace(exposure, satellites=3)


def _dead(exposure: Exposure, detector: int, survey: Survey) -> Exposure:
    return replace(exposure, dead_detectors=(*exposure.dead_detectors, detector))


DARKNESS = -60.0  # a zero point at which no star leaves an electron

_ENTRIES = (
    # the file
    Fault("truncated", "A transfer broke off: the file ends in its pixels.", Reason.TRUNCATED_FILE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.truncate),
    Fault("flipped_bit", "One bit of the pixels changed on the way; the file's own checksum tells.",
          Reason.CHECKSUM_MISMATCH, Ends.QUARANTINED, Hits.FILE, spoil=files.flip_a_bit),
    Fault("wrong_sidecar", "The checksum that lies beside the file is another file's.",
          Reason.CHECKSUM_MISMATCH, Ends.QUARANTINED, Hits.FILE, spoil=files.wrong_sidecar),
    Fault("empty", "The file has no bytes.", Reason.EMPTY_FILE, Ends.QUARANTINED, Hits.FILE, spoil=files.empty),
    Fault("unreadable_header", "The header's first block is noise.", Reason.UNREADABLE_FILE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.unreadable_header),
    Fault("header_of_wrong_type", "The exposure time is a word.", Reason.HEADER_IMPOSSIBLE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.exposure_time_a_word),
    Fault("header_nan", "The right ascension is NaN.", Reason.HEADER_IMPOSSIBLE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.right_ascension_nan),
    Fault("header_ra_400", "The right ascension is 400 degrees.", Reason.HEADER_IMPOSSIBLE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.right_ascension_400),
    Fault("header_negative_exposure", "The exposure time is -1 s.", Reason.HEADER_IMPOSSIBLE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.exposure_time_negative),
    Fault("other_camera", "The frame is of another camera and has this one's name.", Reason.WRONG_CAMERA,
          Ends.QUARANTINED, Hits.FILE, spoil=files.other_camera),
    Fault("gzip_bomb", "A gzip file of 5 MB that unpacks to 5 GB; gzip packs no denser.", Reason.TOO_LARGE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.gzip_bomb),
    Fault("rice_bomb", "A tile-compressed image of 1.3 MB that unpacks to 51 GB.", Reason.TOO_LARGE,
          Ends.QUARANTINED, Hits.FILE, spoil=files.rice_bomb),
    Fault("duplicate", "The same file is sent twice.", None,
          Ends.DUPLICATE, Hits.FILE, spoil=files.duplicate, loses=False),
    Fault("conflict", "A second file comes under the same name with other content.", Reason.NAME_CONFLICT,
          Ends.CONFLICTING, Hits.FILE, spoil=files.conflict, loses=False),
    # the manifest
    Fault("missing", "The manifest names a file that never comes.", Reason.NEVER_ARRIVED,
          Ends.MISSING, Hits.FILE, spoil=files.missing),
    Fault("unlisted", "A frame comes that no manifest names.", Reason.NOT_ON_MANIFEST,
          Ends.NOTED, Hits.FILE, spoil=files.unlisted, loses=False),
    Fault("manifest_mismatch", "The manifest has another checksum than the frame that came and was used.",
          Reason.MANIFEST_MISMATCH, Ends.REJECTED, Hits.FILE, spoil=files.manifest_mismatch),
    Fault("manifest_with_a_name_of_300_characters",
          "A manifest names a file of 300 characters, which no file system holds; a sound one follows it.",
          Reason.MANIFEST_INVALID, Ends.QUARANTINED, Hits.NIGHT, spoil=files.manifest_of_300, loses=False),
    # the time
    Fault("late", "A file comes after the manifest, while the night closes.", None,
          Ends.USED, Hits.FILE, spoil=files.late, loses=False),
    Fault("late_after_closing", "A file comes when the night has closed and the mail is out.", Reason.CAME_LATE,
          Ends.NOTED, Hits.FILE, spoil=files.late_after_closing, loses=False),
    # names
    Fault("name_with_spaces", "A copy of a frame has spaces in its name.", Reason.NAME_UNSAFE,
          Ends.QUARANTINED, Hits.NIGHT, spoil=files.name_with_spaces, loses=False),
    Fault("name_with_metacharacters", "A name is written for a careless shell.", Reason.NAME_UNSAFE,
          Ends.QUARANTINED, Hits.NIGHT, spoil=files.name_with_metacharacters, loses=False),
    Fault("name_with_dots", "A name tries to leave its folder with '..'.", Reason.NAME_UNSAFE,
          Ends.QUARANTINED, Hits.NIGHT, spoil=files.name_with_dots, loses=False),
    Fault("name_too_long", "A name has 255 characters, the most that file systems hold.", Reason.NAME_UNSAFE,
          Ends.QUARANTINED, Hits.NIGHT, spoil=files.name_too_long, loses=False),
    Fault("link_out_of_inbox", "A link in the inbox points to a file outside of it.", Reason.NOT_A_REGULAR_FILE,
          Ends.QUARANTINED, Hits.NIGHT, spoil=files.link_out_of_inbox, loses=False),
    Fault("pipe", "A named pipe lies in the inbox; who opens it waits for ever.", Reason.NOT_A_REGULAR_FILE,
          Ends.QUARANTINED, Hits.NIGHT, spoil=files.pipe, loses=False),
    # pixels of the sky
    Fault("closed_shutter", "The shutter stayed closed.", Reason.SHUTTER_CLOSED,
          Ends.REJECTED, Hits.EXPOSURE, disturb=_no_light),
    Fault("clouds", "Clouds: sky, and no star.", Reason.TOO_FEW_STARS,
          Ends.REJECTED, Hits.EXPOSURE, disturb=_clouds),
    Fault("all_saturated", "Every pixel is saturated.", Reason.SATURATED,
          Ends.REJECTED, Hits.EXPOSURE, disturb=_saturated),
    Fault("dead_detector", "A detector reads zeros.", Reason.NO_SIGNAL,
          Ends.REJECTED, Hits.DETECTOR, disturb=_dead),
    Fault("trailed", "The telescope did not track: the stars are trails.", Reason.ELONGATED,
          Ends.REJECTED, Hits.EXPOSURE, disturb=_trailed),
    Fault("pointing_off", "The telescope looked half a degree beside what the header says.",
          Reason.ASTROMETRY_FAILED, Ends.REJECTED, Hits.EXPOSURE, disturb=_half_a_degree_off),
    Fault("satellite_trails", "Three satellites cross every detector.", Reason.SATELLITE_TRAIL,
          Ends.FLAGGED, Hits.EXPOSURE, disturb=_satellites, loses=False),
    # pixels of calibrations
    Fault("warm_darks", "The camera warmed while the last dark was taken.", Reason.UNLIKE_ITS_FELLOWS,
          Ends.KEPT_OUT, Hits.EXPOSURE, ImageType.DARK, disturb=_warm, last=True, loses=False),
    Fault("flat_in_another_filter", "One flat of a sequence was taken in another filter.", Reason.FILTER_MISMATCH,
          Ends.KEPT_OUT, Hits.EXPOSURE, ImageType.FLAT, disturb=_other_filter, loses=False),
)  # fmt: skip

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ENTRIES}
"""Every fault by its name, in the order of the documentation."""
