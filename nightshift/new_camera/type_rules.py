"""What each frame was taken for, and the rules by which headers say it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nightshift.new_camera.guesses import Certainty, DraftTable, Guess, asked
from nightshift.new_camera.raw_files import RawFile, values_of
from nightshift.new_camera.shutter_times import exposure_s
from nightshift.vocabulary import ImageType

__all__ = ["FrameTypes", "find_types"]

TYPE_KEYWORDS = ("IMAGETYP", "OBSTYPE", "IMGTYPE", "IMAGETYPE", "IMTYPE", "FRAMETYP", "FRAME", "EXPTYPE", "OBSMODE")
OBJECT = "OBJECT"
NAME = "name:exposure"  # the file's name, where no header says it
MODES = (  # what has to be the same for a calibration frame to fit a science frame
    "READOUT", "READOUTM", "READMODE", "EMMODE", "PREAMP", "GAINMODE", "SPEED",
    "XBINNING", "YBINNING", "CCDSUM", "HBIN", "VBIN", "BINNING",
)  # fmt: skip
SUBFRAME = ("XORGSUBF", "YORGSUBF", "SUBARRNO", "SUBFRAME")
# A word of a header or name -> kind, the first that fits.
WORDS = (
    (ImageType.BIAS, r"(?i)bias|zero|offset"),
    (ImageType.DARK, r"(?i)dark"),
    (ImageType.FLAT, r"(?i)flat|twilight"),
    (ImageType.ENGINEERING, r"(?i)focus|test|\barc\b|lamp|point|acqui|guide"),
    (ImageType.SCIENCE, r"(?i)light|object|science|target|\bsci\b|expos|astro|sky"),
)
# What an object is called that is none: whole words, for there are objects like "across RA zero".
OBJECTS = (
    (ImageType.BIAS, r"(?i)^bias\b"),
    (ImageType.DARK, r"(?i)^darks?( frames?)?$"),
    (ImageType.FLAT, r"(?i)\bflats?\b"),
)
CALIBRATIONS = (ImageType.BIAS, ImageType.DARK, ImageType.FLAT)
KNOWN_AT_LEAST = 0.8  # share of frames whose kind a keyword must say


@dataclass(frozen=True)
class FrameTypes:
    """The kind of each frame, and the rules.

    Parameters
    ----------
    kinds : list of ImageType or None
        In the order of the files; None where no rule knows a frame.
    rules : tuple of DraftTable
    notes : tuple of str
    """

    kinds: list[ImageType | None]
    rules: tuple[DraftTable, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: ImageType, files: Sequence[RawFile]) -> list[RawFile]:
        """Return the frames of a kind."""
        return [file for file, its in zip(files, self.kinds, strict=True) if its is kind]


@dataclass
class _Rules:
    """Rules in the order in which they are tried, and what each is for."""

    kinds: list[ImageType | None]
    tables: list[DraftTable] = field(default_factory=list)

    def add(self, kind: ImageType, when: Mapping[str, str], certainty: Certainty, says: str) -> None:
        values = Guess("kind", kind.value, certainty, says), Guess("when", dict(when), certainty, "")
        self.tables.append(DraftTable("[[camera.image_types]]", values))


def find_types(files: Sequence[RawFile], full_frame: Sequence[bool]) -> FrameTypes:
    """Find the rules that tell what each frame was taken for.

    Parameters
    ----------
    files : sequence of RawFile
    full_frame : sequence of bool
        Whether each has the images that most have.
    """
    keyword = _type_keyword(files)
    if not keyword:
        return _all_asked(files)
    rules = _Rules([_kind_of(_said(keyword, file)) for file in files])
    notes: list[str] = []
    _subframes(rules, files, full_frame, notes)
    _disguised(rules, keyword, files)
    _other_modes(rules, keyword, files, notes)
    _plain(rules, keyword, files)
    return FrameTypes(rules.kinds, tuple(rules.tables), tuple(notes))


def _type_keyword(files: Sequence[RawFile]) -> str:
    """Return the keyword, or the file's name, that says the kind of most frames; empty where nothing does."""
    for keyword in (*TYPE_KEYWORDS, OBJECT, NAME):
        known = [_kind_of(_said(keyword, file)) for file in files]
        if sum(kind is not None for kind in known) >= KNOWN_AT_LEAST * len(files):
            return keyword
    return ""


def _said(keyword: str, file: RawFile) -> str:
    return file.path.name if keyword == NAME else file.value(keyword)


def _kind_of(text: str) -> ImageType | None:
    return next((kind for kind, words in WORDS if text and re.search(words, text)), None)


def _all_asked(files: Sequence[RawFile]) -> FrameTypes:
    what = "Which keyword says what an image was taken for, and in which words? One rule for each kind."
    table = DraftTable("[[camera.image_types]]", (asked("kind", what), Guess("when", {}, Certainty.ASKED, "")))
    return FrameTypes([None] * len(files), (table,))


def _subframes(rules: _Rules, files: Sequence[RawFile], full_frame: Sequence[bool], notes: list[str]) -> None:
    """Set aside as engineering what is a part of the detector, as focus frames are."""
    parts = [k for k, full in enumerate(full_frame) if not full]
    if not parts:
        return
    shapes = ", ".join(sorted({f"{plane.shape}" for k in parts for plane in files[k].planes}))
    for keyword in SUBFRAME:
        marked = [re.match("[1-9]", file.value(keyword)) is not None for file in files]
        if all(marked[k] for k in parts) and not any(m for m, full in zip(marked, full_frame, strict=True) if full):
            says = (
                f"{len(parts)} frames are a part of the detector ({shapes} pixels, rows first), by {keyword}: focus."
            )
            rules.add(ImageType.ENGINEERING, {keyword: "^[1-9]"}, Certainty.LIKELY, says)
            for k in parts:
                rules.kinds[k] = ImageType.ENGINEERING
            return
    notes.append(
        f"{len(parts)} frames of another size ({shapes}) will be quarantined as wrong_shape; no keyword marks them."
    )
    for k in parts:
        rules.kinds[k] = None


def _disguised(rules: _Rules, keyword: str, files: Sequence[RawFile]) -> None:
    """Find biases that are called darks of 0 s, and calibration frames that are called objects."""
    short = [k for k, kind in enumerate(rules.kinds) if kind is ImageType.DARK and exposure_s(files[k]) == 0]
    if short:
        text = {file.value("EXPTIME") for file in (files[k] for k in short)}
        when = {keyword: _pattern({_said(keyword, files[k]) for k in short}), "EXPTIME": r"^0(\.0*)?$"}
        if all(re.search(when["EXPTIME"], value) for value in text):
            rules.add(ImageType.BIAS, when, Certainty.SURE, f"{len(short)} darks of 0 s: they are biases.")
            for k in short:
                rules.kinds[k] = ImageType.BIAS
    if keyword in (OBJECT, NAME):
        return
    for kind, words in OBJECTS:
        hidden = [
            k for k, its in enumerate(rules.kinds)
            if its is ImageType.SCIENCE and re.search(words, files[k].value(OBJECT))
        ]  # fmt: skip
        if hidden:
            when = {keyword: _pattern({_said(keyword, files[k]) for k in hidden}), OBJECT: words}
            says = f"{len(hidden)} frames are called {_said(keyword, files[hidden[0]])!r}, and {OBJECT} says {kind}."
            rules.add(kind, when, Certainty.LIKELY, says)
            for k in hidden:
                rules.kinds[k] = kind


def _other_modes(rules: _Rules, keyword: str, files: Sequence[RawFile], notes: list[str]) -> None:
    """Set aside calibration frames that were read out otherwise than every science frame."""
    science = [file for file, kind in zip(files, rules.kinds, strict=True) if kind is ImageType.SCIENCE]
    for kind in CALIBRATIONS:
        for mode in MODES:
            wanted = set(values_of(mode, science))
            apart = [
                k for k, its in enumerate(rules.kinds)
                if its is kind and wanted and files[k].value(mode) and files[k].value(mode) not in wanted
            ]  # fmt: skip
            if apart:
                _set_aside(rules, keyword, files, apart, kind, mode, wanted, notes)
                break


def _set_aside(
    rules: _Rules, keyword: str, files: Sequence[RawFile], apart: Sequence[int], kind: ImageType, mode: str,
    wanted: set[str], notes: list[str],
) -> None:  # fmt: skip
    theirs = {files[k].value(mode) for k in apart}
    when = {keyword: _pattern({_said(keyword, files[k]) for k in apart}), mode: _pattern(theirs)}
    here, there = " and ".join(sorted(theirs)), " and ".join(sorted(wanted))
    says = f"{len(apart)} {kind} frames have {mode} = {here}, and the science frames {there}: they do not fit."
    rules.add(ImageType.ENGINEERING, when, Certainty.SURE, says)
    if all(rules.kinds[k] is not kind or k in apart for k in range(len(files))):
        notes.append(f"{says} Take some with {mode} = {there}.")
    for k in apart:
        rules.kinds[k] = ImageType.ENGINEERING


def _plain(rules: _Rules, keyword: str, files: Sequence[RawFile]) -> None:
    """Add the rule of each kind, for those that were not seen too."""
    said: dict[ImageType, Counter[str]] = {}
    for file in files:
        text = _said(keyword, file)
        if (kind := _kind_of(text)) is not None:
            said.setdefault(kind, Counter())[text] += 1
    for kind, words in WORDS:
        values = said.get(kind)
        if values is None:
            if kind in CALIBRATIONS:
                rules.add(kind, {keyword: words}, Certainty.UNSURE, "Not seen here; the word that most cameras have.")
        elif keyword in (OBJECT, NAME):
            says = f"{values.total()} frames, by {'their names' if keyword == NAME else OBJECT} alone."
            rules.add(kind, {keyword: words}, Certainty.UNSURE, says)
        else:
            counted = ", ".join(f"{count} of {value!r}" for value, count in values.items())
            rules.add(kind, {keyword: _pattern(set(values))}, Certainty.SURE, f"{keyword}: {counted}.")


def _pattern(values: set[str]) -> str:
    """Return a regular expression that fits whole values, whatever their case."""
    words = sorted({re.escape(value.lower()).replace(r"\ ", " ") for value in values})
    return f"(?i)^{words[0]}$" if len(words) == 1 else f"(?i)^({'|'.join(words)})$"
