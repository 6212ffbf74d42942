"""How a camera names its files, found on the names; and what makes an exposure's id that never comes again.

A name is read as words between separators. From its first word of digits to its last lies what counts and dates; what
stands before (an object, a filter) and behind (what it was taken for) may be any text tomorrow.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nightshift.new_camera.guesses import Certainty, Guess

__all__ = ["NamePattern", "NamedFile", "find_name_pattern"]

SUFFIX = re.compile(r"(?i)\.(fits?|fts)(\.fz|\.gz)?$")
SEPARATORS = r"[._+-]"
FREE_TEXT = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
WORD = r"[A-Za-z0-9]+"
DETECTOR = re.compile(r"(?i)(c|ccd|chip|det|d|ch|amp|q)(\d{1,2})")
TOGETHER = timedelta(seconds=2)  # detectors of one exposure open within so much


@dataclass(frozen=True)
class NamedFile:
    """A file's name with its shutter time and night, where they are known."""

    name: str
    moment: datetime | None = None
    night: date | None = None


@dataclass(frozen=True)
class NamePattern:
    """A pattern, the exposure's id, and the detectors that names tell apart."""

    pattern: Guess
    exposure_id: Guess
    detectors: tuple[int, ...]

    def detector_of(self, name: str) -> int | None:
        """Return which detector's a file is; None where names do not tell."""
        match = re.fullmatch(self.pattern.value, name) if self.detectors else None
        return int(match["detector"]) if match else None


@dataclass(frozen=True)
class _Parts:
    """A stem, cut before its first and behind its last word of digits."""

    lead: str
    core: str
    trail: str


def find_name_pattern(files: Sequence[NamedFile]) -> NamePattern:
    """Find the pattern that all names match, and what an exposure's id is made of."""
    stems = [SUFFIX.sub("", file.name) for file in files]
    place = _detector_place(stems, files)
    if place is None:
        inside = f"(?P<exposure>{_expression(stems)})"
    else:
        inside = _with_detector(stems, place)
    pattern = f"^{inside}{_suffix([file.name for file in files])}$"
    detectors = sorted(
        {int(m["detector"]) for file in files if place is not None and (m := re.match(pattern, file.name))}
    )
    several = f" with a detector each of {', '.join(map(str, detectors))}" if detectors else ""
    guess = Guess(
        "pattern", pattern, Certainty.LIKELY, f"All {len(files)} names fit{several}, such as {files[0].name}."
    )
    groups = "{exposure}{rest}" if "(?P<rest>" in pattern else "{exposure}"
    return NamePattern(guess, _exposure_id(files, stems, pattern, groups), tuple(detectors))


def _suffix(names: Sequence[str]) -> str:
    """Return the expression of what names end with; a packed file and the camera's own both fit."""
    found = sorted({match[1] for name in names if (match := SUFFIX.search(name))})
    if not found:
        return ""
    gzipped = any(name.lower().endswith(".gz") for name in names)
    ends = found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"
    return rf"\.{ends}(?:\.{'(?:fz|gz)' if gzipped else 'fz'})?"


def _expression(stems: Sequence[str]) -> str:
    """Return an expression that fits whole stems."""
    by_ends: dict[tuple[str, str], set[str]] = {}
    groups: dict[tuple[str, ...], list[_Parts]] = {}
    for parts in map(_cut, stems):
        groups.setdefault(_shape(parts.core), []).append(parts)
    for shape, members in groups.items():
        lead, trail = _lead([p.lead for p in members]), _trail([p.trail for p in members])
        by_ends.setdefault((lead, trail), set()).add(_core(shape, [p.core for p in members]))
    whole = [f"{lead}{_either(sorted(cores))}{trail}" for (lead, trail), cores in sorted(by_ends.items())]
    return _either(whole)


def _either(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"(?:{'|'.join(expressions)})"


def _cut(stem: str) -> _Parts:
    """Cut a stem; one without a word of digits is cut at the digits that a word ends with."""
    words = list(re.finditer(r"(?<![A-Za-z0-9])\d+(?![A-Za-z0-9])", stem))
    words = words or list(re.finditer(r"\d{2,}(?![A-Za-z0-9])", stem))
    if not words:
        return _Parts(stem, "", "")
    begins, ends = words[0].start(), words[-1].end()
    return _Parts(stem[:begins], stem[begins:ends], stem[ends:])


def _shape(core: str) -> tuple[str, ...]:
    """Return what cores of one form have in common: digits as ``#``, other words as ``A``, separators as they are."""
    return tuple(
        "#" if part.isdecimal() else "A" if part[0].isalnum() else part
        for part in re.findall(rf"{WORD}|{SEPARATORS}", core)
    )


def _core(shape: tuple[str, ...], cores: Sequence[str]) -> str:
    columns = zip(*(re.findall(rf"{WORD}|{SEPARATORS}", core) for core in cores), strict=True)
    return "".join(_piece(kind, set(values)) for kind, values in zip(shape, columns, strict=True))


def _piece(kind: str, values: set[str]) -> str:
    if kind == "#":
        lengths = {len(value) for value in values}
        return rf"\d{{{lengths.pop()}}}" if len(lengths) == 1 else r"\d+"
    return WORD if kind == "A" else re.escape(kind)


def _lead(leads: Sequence[str]) -> str:
    """Return the expression of what stands before: one constant word as it is, anything else as free text."""
    different = set(leads)
    only = next(iter(different))
    if len(different) == 1 and re.fullmatch(rf"[A-Za-z]*{SEPARATORS}?", only):
        return re.escape(only)
    ends = {lead[-1:] for lead in leads}
    if not all(re.fullmatch(SEPARATORS, end) for end in ends):
        return rf"(?:{FREE_TEXT})?" if "" in different else FREE_TEXT
    return FREE_TEXT + (re.escape(ends.pop()) if len(ends) == 1 else SEPARATORS)


def _trail(trails: Sequence[str]) -> str:
    """Return the expression of what stands behind: the constant words that all begin with, then any words."""
    if set(trails) == {""}:
        return ""
    words = [re.findall(rf"{SEPARATORS}{WORD}|.", trail) for trail in trails]
    constant = ""
    for column in zip(*words, strict=False):
        if len(set(column)) > 1:
            break
        constant += column[0]
    more = rf"(?:{SEPARATORS}{WORD})*" if len(set(trails)) > 1 else ""
    return re.escape(constant) + more


# --- detectors -----------------------------------------------------------------------------------------------


def _detector_place(stems: Sequence[str], files: Sequence[NamedFile]) -> int | None:
    """Return which word, counted from the end, tells detectors of one exposure apart; None where none does."""
    for place in range(1, 4):
        siblings: dict[tuple[str, str], list[int]] = {}
        for k, stem in enumerate(stems):
            words = re.split(SEPARATORS, stem)
            if len(words) >= place and DETECTOR.fullmatch(words[-place]):
                before, after = "_".join(words[: len(words) - place]), "_".join(words[len(words) - place + 1 :])
                siblings.setdefault((before, after), []).append(k)
        families = [group for group in siblings.values() if len(group) > 1]
        if (
            sum(map(len, siblings.values())) == len(stems)
            and families
            and all(_one_opening(g, files) for g in families)
        ):
            return place
    return None


def _one_opening(group: Sequence[int], files: Sequence[NamedFile]) -> bool:
    moments = [moment for k in group if (moment := files[k].moment) is not None]
    return len(moments) == len(group) and max(moments) - min(moments) <= TOGETHER


def _with_detector(stems: Sequence[str], place: int) -> str:
    cut = [
        re.fullmatch(rf"(.*{SEPARATORS})([A-Za-z]+)(\d{{1,2}})((?:{SEPARATORS}{WORD}){{{place - 1}}})", s)
        for s in stems
    ]
    found = [match for match in cut if match]
    separators = {match[1][-1] for match in found}
    before = _expression([match[1][:-1] for match in found])
    middle = re.escape(separators.pop()) if len(separators) == 1 else SEPARATORS
    names = sorted({match[2] for match in found})
    after = f"(?P<rest>{_trail([match[4] for match in found])})" if place > 1 else ""
    return rf"(?P<exposure>{before}){middle}{_either(names)}(?P<detector>\d{{1,2}}){after}"


# --- the exposure's id ---------------------------------------------------------------------------------------


def _exposure_id(files: Sequence[NamedFile], stems: Sequence[str], pattern: str, groups: str) -> Guess:
    """Return the id: the name where it holds a date and time, or a date; the night and the name otherwise."""
    with_night = "{night}_" + groups
    again = _names_again(files)
    if again:
        says = f"{again} names come again on another night: with the night they are told apart."
        return Guess("exposure_id", with_night, Certainty.SURE, says)
    dated = [_holds_date(stem, file) for stem, file in zip(stems, files, strict=True)]
    timed = [_holds_time(stem) for stem in stems]
    if all(dated) and all(timed):
        return Guess("exposure_id", groups, Certainty.SURE, "Every name holds the date and the time of its exposure.")
    if all(dated):
        return Guess(
            "exposure_id", groups, Certainty.LIKELY, "Every name holds the date, and a number counts within it."
        )
    nights = {file.night for file in files if file.night}
    without = next(file.name for file, there in zip(files, dated, strict=True) if not there)
    seen = f"No name comes again in these {len(nights)} nights, but a" if len(nights) > 1 else "A"
    says = f"{seen} name like {without} holds no date: once its number starts anew the night tells them apart."
    return Guess("exposure_id", with_night, Certainty.LIKELY, says)


def _names_again(files: Sequence[NamedFile]) -> int:
    nights: Mapping[str, set[date]] = {file.name: set() for file in files}
    for file in files:
        if file.night:
            nights[file.name].add(file.night)
    return sum(len(where) > 1 for where in nights.values())


def _holds_date(stem: str, file: NamedFile) -> bool:
    """Whether a stem holds the date of its night, or of the day before or after: by local time or by UTC."""
    if file.moment is None:
        return False
    days = [file.moment.date() + timedelta(days=k) for k in (-1, 0, 1)]
    return any(f"{day:%Y%m%d}" in stem or f"{day:%Y-%m-%d}" in stem for day in days)


def _holds_time(stem: str) -> bool:
    """Whether a stem has at least six digits behind its eight of a date."""
    return re.search(r"\d{4}-?\d{2}-?\d{2}[T_.+-]?\d{2}[_:.-]?\d{2}[_:.-]?\d{2}", stem) is not None
