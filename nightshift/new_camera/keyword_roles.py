"""Which keywords play which role: those that cameras use, kept where the values can be what the role asks for."""

from collections.abc import Callable, Sequence

from nightshift.errors import BadInput
from nightshift.ingest.header import FrameHeader, read_header
from nightshift.new_camera.guesses import Certainty, Guess, asked
from nightshift.new_camera.one_camera import CAMERA_KEYWORDS
from nightshift.new_camera.raw_files import RawFile, commonest, values_of
from nightshift.settings.models import HeaderKeys
from nightshift.vocabulary import ImageType

__all__ = ["OBJECT", "filter_keywords", "filter_of", "pointing_keys", "role_guesses"]

FILTER = ("FILTER", "FILTNAME", "FILTNAM", "FILTERID", "FILTER1", "INSFLNAM", "FILT")
OBJECT = ("OBJECT", "OBJNAME", "TARGET", "TARGNAME")
RIGHT_ASCENSION = ("RA", "OBJCTRA", "TELRA", "OBSRA", "RA_DEG", "RAJ2000", "CAT-RA", "OBJRA")
DECLINATION = ("DEC", "OBJCTDEC", "TELDEC", "OBSDEC", "DEC_DEG", "DECJ2000", "CAT-DEC", "OBJDEC")
AIRMASS = ("AIRMASS", "AMSTART", "SECZ", "AIRMASS1")
DETECTOR_TEMPERATURE = ("CCD-TEMP", "DETTEMP", "CCDTEMP", "CCDTEMP1", "TEMP", "DET-TEMP")
AMBIENT_TEMPERATURE = ("AMBTEMP", "TEMP_OUT", "OUTTEMP", "TEMPEXT", "AMBIENT", "TEMPAIR")
COLDEST, WARMEST = -250.0, 60.0  # degrees Celsius that a temperature may be
ENOUGH = 0.5  # share of science frames in which the first keyword must read


def role_guesses(files: Sequence[RawFile], science: Sequence[RawFile]) -> list[Guess]:
    """Return the guesses for ``[camera.header]`` but those of time."""
    camera = commonest(CAMERA_KEYWORDS, files)
    guesses = [_filter(files), _object(files)]
    keys = pointing_keys(science)
    if keys.ra and keys.dec:
        where = read_header({**science[0].header, **_ANY_TIME}, keys, ImageType.ENGINEERING)
        such = f"{where.ra_deg or 0:.4f} {where.dec_deg or 0:+.4f} degrees"
        says = f"They read as a pointing in the science frames, such as {such}."
        guesses += [
            Guess("ra", list(keys.ra), Certainty.LIKELY, says),
            Guess("dec", list(keys.dec), Certainty.LIKELY, says),
        ]
    else:
        what = "Which keyword says where the telescope points? Frames without a pointing lie on no field."
        guesses += [
            asked("ra", f"Right ascension. {what}", in_list=True),
            asked("dec", f"Declination. {what}", in_list=True),
        ]
    guesses.append(_airmass(keys))
    if camera:
        guesses.append(Guess("camera", [camera[0]], Certainty.SURE, f"It is {camera[1]!r}."))
    guesses += _temperature("detector_temperature", DETECTOR_TEMPERATURE, files)
    guesses += _temperature("ambient_temperature", AMBIENT_TEMPERATURE, files)
    return guesses


_ANY_TIME = {"DATE-OBS": "2000-01-01T00:00:00", "EXPTIME": 0.0}


def pointing_keys(science: Sequence[RawFile]) -> HeaderKeys:
    """Return the keywords of pointing and airmass that read in enough science frames."""
    ra = _reading(RIGHT_ASCENSION, science, "ra", lambda header: header.ra_deg)
    dec = _reading(DECLINATION, science, "dec", lambda header: header.dec_deg)
    airmass = _reading(AIRMASS, science, "airmass", lambda header: header.airmass)
    return HeaderKeys(ra=ra, dec=dec, airmass=airmass)


def _reading(
    keywords: Sequence[str], files: Sequence[RawFile], role: str, value: Callable[[FrameHeader], float | None]
) -> tuple[str, ...]:
    """Return the keywords of a role whose every value reads and is not zero, those that most frames have first."""
    good = {keyword: sum(bool(_read(keyword, role, value, file)) for file in files) for keyword in keywords}
    bad = {keyword: sum(bool(file.value(keyword)) for file in files) - good[keyword] for keyword in keywords}
    usable = [keyword for keyword in keywords if good[keyword] >= max(1, ENOUGH * len(files)) and not bad[keyword]]
    return tuple(sorted(usable, key=lambda keyword: -good[keyword]))[:2]


def _read(keyword: str, role: str, value: Callable[[FrameHeader], float | None], file: RawFile) -> float | None:
    """Return what a keyword says in a role; of one coordinate only where the other is anything."""
    whole = {**file.header, **_ANY_TIME, "ANYRA": 0.0, "ANYDEC": 0.0}
    ra, dec = ((keyword,) if role == its else (f"ANY{its.upper()}",) for its in ("ra", "dec"))
    keys = HeaderKeys(ra=ra, dec=dec, airmass=(keyword,) if role == "airmass" else ())
    try:
        return value(read_header(whole, keys, ImageType.ENGINEERING))
    except BadInput:
        return None


def filter_keywords(files: Sequence[RawFile]) -> list[str]:
    """Return the keywords that name a frame's filter, those that most frames have first."""
    counts = {keyword: sum(bool(file.value(keyword)) for file in files) for keyword in FILTER}
    return sorted((keyword for keyword in FILTER if counts[keyword]), key=lambda keyword: -counts[keyword])[:2]


def filter_of(file: RawFile, keywords: Sequence[str]) -> str:
    """Return what a frame's header calls its filter, empty where it names none."""
    return next((value for keyword in keywords if (value := file.value(keyword))), "")


def _filter(files: Sequence[RawFile]) -> Guess:
    found = filter_keywords(files)
    if not found:
        says = "No header names a filter: all frames are taken as in one, `none`."
        return Guess("filter", ["FILTER"], Certainty.UNSURE, says)
    values = ", ".join(f"{count} of {value!r}" for value, count in values_of(found[0], files).items())
    return Guess("filter", found, Certainty.SURE, f"{found[0]}: {values}.")


def _object(files: Sequence[RawFile]) -> Guess:
    found = [keyword for keyword in OBJECT if any(file.value(keyword) for file in files)]
    if not found:
        return Guess("object", ["OBJECT"], Certainty.UNSURE, "No header names an object; nothing depends on it.")
    return Guess("object", found[:2], Certainty.SURE, f"{len(values_of(found[0], files))} objects by {found[0]}.")


def _airmass(keys: HeaderKeys) -> Guess:
    if keys.airmass:
        return Guess(
            "airmass", list(keys.airmass), Certainty.SURE, f"{keys.airmass[0]} is 1 or more in the science frames."
        )
    return Guess(
        "airmass", [], Certainty.UNSURE, "No keyword reads as an airmass; zero points stay at the pointing's own."
    )


def _temperature(role: str, keywords: Sequence[str], files: Sequence[RawFile]) -> list[Guess]:
    """Return the keyword of a temperature whose every value can be one; nothing where there is none."""
    for keyword in keywords:
        values = [_celsius(text) for text in values_of(keyword, files)]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            return [Guess(role, [keyword], Certainty.LIKELY, f"{keyword}: {min(known):.1f} to {max(known):.1f}.")]
    return []


def _celsius(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:  # a decimal comma, for instance
        return None
    return value if COLDEST <= value <= WARMEST else None
