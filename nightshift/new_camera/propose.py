"""A draft of a survey's five files, from a folder of raw files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from nightshift.errors import BadInput
from nightshift.ingest.header import read_header
from nightshift.ingest.naming import shown
from nightshift.new_camera.detector_pixels import AmplifierPixels, FramesByKind, look_at_amplifier
from nightshift.new_camera.guesses import Certainty, Draft, DraftTable, Guess
from nightshift.new_camera.keyword_roles import OBJECT, filter_keywords, filter_of, pointing_keys, role_guesses
from nightshift.new_camera.name_patterns import NamedFile, NamePattern, find_name_pattern
from nightshift.new_camera.observatory import Observatory, find_observatory
from nightshift.new_camera.one_camera import camera_guesses, frames_of_one
from nightshift.new_camera.policy_tables import Calibration, job_tables, policy_tables
from nightshift.new_camera.raw_files import Plane, Progress, RawFile, Unread, commonest, read_folder
from nightshift.new_camera.shutter_times import ShutterTimes, find_shutter_times
from nightshift.new_camera.sky_geometry import Geometry, find_geometry
from nightshift.new_camera.sky_tables import Pointing, find_fields, find_filters
from nightshift.new_camera.star_frames import StarFrame, look_at_stars
from nightshift.new_camera.type_rules import FrameTypes, find_types
from nightshift.nights import night_of
from nightshift.settings.models import HeaderKeys
from nightshift.vocabulary import ImageType

__all__ = ["Found", "Proposal", "propose"]

OWN_OF_AMPLIFIER = ("gain", "read_noise", "saturation")  # that detectors of one kind may have otherwise
LARGEST_FACTOR = 3  # times the largest unpacked file, for files that may be


@dataclass(frozen=True)
class Found:
    """What the files of one camera say, before any pixel is read.

    Parameters
    ----------
    files : list of RawFile
    planes : tuple of Plane
        Of a file as most are.
    full_frame : list of bool
        Whether each file has these.
    types : FrameTypes
    times : ShutterTimes
    keys : HeaderKeys
        Of pointing and airmass.
    site : Observatory
    nights : dict
        Night by place in the list, where the time is known.
    filters : list of str
        What each file's header calls its filter.
    names : NamePattern
    """

    files: list[RawFile]
    planes: tuple[Plane, ...]
    full_frame: list[bool]
    types: FrameTypes
    times: ShutterTimes
    keys: HeaderKeys
    site: Observatory
    nights: dict[int, date]
    filters: list[str]

    names: NamePattern

    def of(self, kind: ImageType, detector: int | None = None) -> list[int]:
        """Return the places of a detector's full frames of a kind, in order of time; of the first one by default."""
        wanted = detector if detector is not None else next(iter(self.names.detectors), None)
        places = [
            k for k, its in enumerate(self.types.kinds)
            if its is kind and self.full_frame[k] and self.names.detector_of(self.files[k].path.name) == wanted
        ]  # fmt: skip
        latest = datetime.max.replace(tzinfo=UTC)
        return sorted(places, key=lambda k: (self.times.moments.get(k, latest), k))

    def frames(self, kind: ImageType, detector: int | None = None) -> list[RawFile]:
        """Return a detector's full frames of a kind, in order of time; of the first one by default."""
        return [self.files[k] for k in self.of(kind, detector)]


@dataclass(frozen=True)
class Proposal:
    """A draft, with what it was made of."""

    draft: Draft
    found: Found
    unread: list[Unread]


def propose(folder: Path, progress: Progress, instrument: str | None = None) -> Proposal:
    """Draft the settings of the camera whose raw files lie below a folder.

    Parameters
    ----------
    folder : Path
    progress : callable
        Is told what is being done.
    instrument : str or None
        What headers call the camera, where the folder has files of several.

    Raises
    ------
    CameraProblem
        Where there are no frames, or frames of several cameras and none was chosen.
    """
    files, unread = read_folder(folder, progress)
    found = look_at_headers(frames_of_one(files, instrument))
    amplifiers, stars, geometry = _look_at_pixels(found, progress)
    notes = [*_notes_of_files(found, unread), *found.types.notes, *found.site.notes]
    notes += [note for amplifier in amplifiers for note in amplifier.notes]
    field_tables, left_out = find_fields(_pointings(found), _view_deg(found.planes, geometry.scale_arcsec))
    tables = {
        "site.toml": (DraftTable("", (_title(found.site),)), found.site.table),
        "camera.toml": (*_camera_tables(found, amplifiers, geometry), *_other_detectors(found, progress)),
        "fields.toml": (DraftTable("[sky]", (_field_from(),)), *_filters(found), *field_tables),
        "policy.toml": policy_tables(
            _calibration_sets(found), _most_science(found), amplifiers, stars, geometry.scale_arcsec, found.site.name
        ),
        "jobs.toml": job_tables(sum(p.shape[0] * p.shape[1] for p in found.planes) / 1e6),
    }
    return Proposal(Draft(tables, tuple(notes + left_out)), found, unread)


def look_at_headers(files: list[RawFile]) -> Found:
    """Return what headers and names say."""
    layout = Counter(file.layout for file in files).most_common(1)[0][0]
    full_frame = [file.layout == layout for file in files]
    types, times = find_types(files, full_frame), find_shutter_times(files)
    science = [k for k, kind in enumerate(types.kinds) if kind is ImageType.SCIENCE and full_frame[k]]
    planes = files[(science or [full_frame.index(True)])[0]].planes  # their headers are of the science frames' mode
    keys = pointing_keys([files[k] for k in science])
    site = find_observatory(files, times.moments, science, keys)
    nights = {k: night_of(site.site, moment) for k, moment in times.moments.items()}
    keywords = filter_keywords(files)
    filters = [filter_of(file, keywords) for file in files]
    names = find_name_pattern(
        [NamedFile(f.path.name, times.moments.get(k), nights.get(k)) for k, f in enumerate(files)]
    )
    return Found(files, planes, full_frame, types, times, keys, site, nights, filters, names)


def _look_at_pixels(found: Found, progress: Progress) -> tuple[list[AmplifierPixels], list[StarFrame], Geometry]:
    """Look at the amplifiers of the first detector, and at the stars on the first of them."""
    frames = _frames_of(found)
    amplifiers = [look_at_amplifier(plane, frames, progress) for plane in found.planes]
    first = amplifiers[0]
    stars = look_at_stars(frames.science, first.layout, first.dark, found.keys, progress)
    return amplifiers, stars, find_geometry(frames.science, stars)


def _frames_of(found: Found, detector: int | None = None) -> FramesByKind:
    """Return a detector's frames, flats of the filter that most of them have: pairs of these are alike."""
    flats = found.of(ImageType.FLAT, detector)
    most = Counter(found.filters[k] for k in flats).most_common(1)
    like = [found.files[k] for k in flats if found.filters[k] == most[0][0]]
    biases, darks, science = (
        found.frames(kind, detector) for kind in (ImageType.BIAS, ImageType.DARK, ImageType.SCIENCE)
    )
    return FramesByKind(biases, darks, like, science)


def _other_detectors(found: Found, progress: Progress) -> list[DraftTable]:
    """Return what the amplifiers of the detectors after the first have of their own."""
    tables = []
    for detector in found.names.detectors[1:]:
        for number, plane in enumerate(found.planes, start=1):
            guesses = look_at_amplifier(plane, _frames_of(found, detector), progress).guesses
            own = [g for g in guesses if g.key in OWN_OF_AMPLIFIER and g.certainty is not Certainty.ASKED]
            place = (
                Guess("detector", detector, Certainty.SURE, f"As [[camera.quadrants]] {number}, but for these."),
                Guess("quadrant", number, Certainty.SURE, ""),
            )
            tables.append(DraftTable("[[camera.amplifiers]]", (*place, *own)))
    return tables


def _notes_of_files(found: Found, unread: Sequence[Unread]) -> list[str]:
    notes = [f"{shown(each.path.name)} is left out: {shown(each.why)}." for each in unread[:10]]
    notes += [f"{len(unread) - 10} more files are left out."] if len(unread) > 10 else []
    unknown = [f.path.name for f, kind in zip(found.files, found.types.kinds, strict=True) if kind is None]
    if unknown:
        notes.append(f"{len(unknown)} frames are of no known kind, such as {shown(unknown[0])}.")
    if not found.frames(ImageType.SCIENCE):
        notes.append("No science frame is there: scale, orientation, fields and bounds cannot be looked at.")
    for kind in (ImageType.BIAS, ImageType.FLAT):
        if not found.frames(kind):
            notes.append(f"No {kind} is there that fits: no master {kind} can be made of this folder.")
    return notes


# --- site, camera, sky ---------------------------------------------------------------------------------------


def _title(site: Observatory) -> Guess:
    return Guess("title", site.name, Certainty.UNSURE, "What pages and mails call the survey.")


def _camera_tables(found: Found, amplifiers: Sequence[AmplifierPixels], geometry: Geometry) -> tuple[DraftTable, ...]:
    names = found.names
    size = sum(abs(p.bits) // 8 * p.shape[0] * p.shape[1] for p in found.planes) / 1e6
    largest = Guess(
        "largest_mb",
        float(round(LARGEST_FACTOR * size + 5)),
        Certainty.LIKELY,
        f"An image has {size:.1f} MB unpacked.",
    )
    roles = role_guesses(found.files, found.frames(ImageType.SCIENCE))
    return (
        DraftTable("[camera]", (*camera_guesses(found.files), *geometry.guesses)),
        DraftTable("[camera.file_names]", (names.pattern, names.exposure_id, largest)),
        DraftTable("[camera.header]", (*found.times.guesses, *roles)),
        *found.types.rules,
        *(_quadrant(number, amplifier) for number, amplifier in enumerate(amplifiers, start=1)),
        *(_detector(number) for number in names.detectors or (1,)),
    )


def _quadrant(number: int, amplifier: AmplifierPixels) -> DraftTable:
    first = Guess("id", number, Certainty.SURE, "One for each image of a file.")
    return DraftTable("[[camera.quadrants]]", (first, *amplifier.guesses))


def _detector(number: int) -> DraftTable:
    says = "One for each detector; the files' names tell which." if number > 1 else "The only one, or the first."
    return DraftTable("[[camera.detectors]]", (Guess("id", number, Certainty.SURE, says),))


def _field_from() -> Guess:
    return Guess(
        "field_from", "pointing", Certainty.LIKELY, "A frame belongs to the field that its header's pointing lies on."
    )


def _filters(found: Found) -> tuple[DraftTable, ...]:
    lit = [*found.of(ImageType.FLAT), *found.of(ImageType.SCIENCE)]
    return find_filters([found.filters[k] for k in lit or range(len(found.files))])


def _pointings(found: Found) -> list[Pointing]:
    pointings = []
    for file in found.frames(ImageType.SCIENCE):
        try:
            header = read_header(
                {**file.header, "DATE-OBS": "2000-01-01T00:00:00", "EXPTIME": 0.0}, found.keys, ImageType.ENGINEERING
            )
        except BadInput:
            continue
        if header.ra_deg is not None and header.dec_deg is not None:
            named = commonest(OBJECT, [file])
            pointings.append(Pointing(header.ra_deg, header.dec_deg, named[1] if named else ""))
    return pointings


def _view_deg(planes: Sequence[Plane], scale_arcsec: float | None) -> float | None:
    return min(planes[0].shape) * scale_arcsec / 3600 if scale_arcsec else None


# --- how many frames -----------------------------------------------------------------------------------------


def _calibration_sets(found: Found) -> list[Calibration]:
    """Return kind, filter and night of each calibration frame."""
    return [
        (kind.value, found.filters[k] if kind is ImageType.FLAT else "", found.nights.get(k, date.min))
        for kind in (ImageType.BIAS, ImageType.DARK, ImageType.FLAT)
        for k in found.of(kind)
    ]


def _most_science(found: Found) -> int:
    """Return how many science frames the night and filter with most of them have."""
    counts = Counter((found.nights.get(k), found.filters[k]) for k in found.of(ImageType.SCIENCE))
    return max(counts.values(), default=0)
