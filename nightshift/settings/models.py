"""What a survey's settings may say. Each class is one table of a TOML file."""

import re
from collections import Counter
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ValidationInfo, field_validator, model_validator
from pydantic import Field as Key

from nightshift.kinds import kinds
from nightshift.settings.amplifiers import Crosstalk, Linearity
from nightshift.settings.archive import ArchivePolicy
from nightshift.settings.backup import BackupPolicy
from nightshift.settings.base_table import Positive, Table
from nightshift.settings.copies import CopyPolicy
from nightshift.settings.coverage import CoveragePolicy
from nightshift.settings.exposure_ids import HEADER, NIGHT, check_template, template_fields
from nightshift.settings.fields_table import FORMATS
from nightshift.settings.messages import MessageSettings
from nightshift.settings.night_watch import NightWatchPolicy
from nightshift.settings.preflight_policy import PlanPolicy, PreflightPolicy
from nightshift.settings.report_policy import ReportPolicy
from nightshift.settings.retention import DiskPolicy, RetentionPolicy
from nightshift.vocabulary import CalibrationKind, ImageType, bounded_measurements
from reduction.optional_steps import OptionalStep

__all__ = ["Camera", "Field", "Filter", "Quadrant", "Survey"]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


def _section(text: str) -> str:
    if not re.fullmatch(r"\[\d+:\d+,\d+:\d+\]", text):
        raise ValueError("a FITS section is written [x1:x2,y1:y2], counted from 1, ends included")
    x1, x2, y1, y2 = _bounds(text)
    if x1 == 0 or y1 == 0:
        raise ValueError("a FITS section is counted from 1, and both ends are included: add 1 to where it begins")
    if x1 > x2 or y1 > y2:
        raise ValueError("a FITS section is written [x1:x2,y1:y2], the smaller number first")
    return text


def _bounds(section: str) -> tuple[int, int, int, int]:
    """Return x1, x2, y1 and y2 of a section."""
    x1, x2, y1, y2 = (int(number) for number in re.findall(r"\d+", section))
    return x1, x2, y1, y2


def _absolute(text: str) -> str:
    if not PurePosixPath(text).is_absolute() or not text.isprintable():
        raise ValueError("a folder on every machine that reduces, written from the root: /data/astrometry")
    return text


def _overlap(one: str, other: str) -> bool:
    """Whether two sections share a pixel."""
    a, b = _bounds(one), _bounds(other)
    return a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            'no such time zone; names are those of the IANA database, such as "America/Phoenix" or "Asia/Tokyo"'
        ) from None
    return name


def _mask_path(text: str) -> str:
    try:
        path = PurePosixPath(text.format(detector=1, quadrant=1))
    except (AttributeError, LookupError, ValueError) as error:
        raise ValueError(f"not a name with {{detector}} and {{quadrant}}: {error}") from error
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("a path below the survey's folder is allowed, with {detector} and {quadrant} in it")
    return text


def _table_name(name: str) -> str:
    if PurePosixPath(name).name != name or not name.endswith(FORMATS):
        raise ValueError(f"the name of a file in the survey's folder that ends with {', '.join(FORMATS)}")
    return name


def _catalogue_name(text: str) -> str:
    try:
        _below(PurePosixPath(text.format(field=1)))
        if text.format(field=1) == text.format(field=2):
            raise ValueError("all fields would share it: write {field} in it, such as field{field:06d}.parquet")
    except (AttributeError, LookupError) as error:
        raise ValueError(f"not a name with {{field}}: {error}") from error
    return text


def _below(path: PurePosixPath) -> PurePosixPath:
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError("a path below the folder of catalogues is allowed, without `..`")
    return path


Pattern = Annotated[str, AfterValidator(_compiles)]
PathBelow = Annotated[PurePosixPath, AfterValidator(_below)]
TableName = Annotated[str, AfterValidator(_table_name)]
CatalogueName = Annotated[str, AfterValidator(_catalogue_name)]
Section = Annotated[str, AfterValidator(_section)]
Folder = Annotated[str, AfterValidator(_absolute)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
MaskPath = Annotated[str, AfterValidator(_mask_path)]
Fraction = Annotated[float, Key(ge=0, le=1)]

CHANNELS = {"ztf": 100, "nightshift": 1024}  # amplifiers of a camera that each rule of alerts' ids can number
INSTRUMENTS = 32  # of a survey that Nightshift's own rule can number


# --- site.toml ---------------------------------------------------------------------------------------------


class Site(Table):
    """Where the telescope stands."""

    name: str  # in keys, manifests and folders; kept for ever
    latitude_deg: Annotated[float, Key(ge=-90, le=90)]  # north positive
    longitude_deg: Annotated[float, Key(ge=-180, le=180)]  # east positive
    elevation_m: float  # above the sea
    time_zone: TimeZone  # IANA name; its local noon begins the night
    observatory_code: Annotated[str, Key(pattern=r"^[0-9A-Z]{3}$")]  # Minor Planet Center's
    telescope: str  # as reports and headers call it


# --- camera.toml -------------------------------------------------------------------------------------------


class FileNames(Table):
    """How the camera names its files."""

    pattern: Pattern  # named groups; `detector` where each detector has its file
    exposure_id: str = Key(default="{exposure}", validate_default=True)  # of groups, {night} and {header:KEYWORD}
    template: str | None = None  # str.format with the keys of `rehearsal.simulator.night_plan.file_name`
    largest_mb: Positive = 500.0  # unpacked

    @property
    def id_needs(self) -> frozenset[str]:
        """What an exposure's id is made of beside the file's name: `NIGHT`, `HEADER`, both or nothing."""
        return frozenset(name for name, _ in template_fields(self.exposure_id)) & {NIGHT, HEADER}

    @field_validator("exposure_id")
    @classmethod
    def _id_of_what_there_is(cls, exposure_id: str, info: ValidationInfo) -> str:
        return check_template(exposure_id, info.data["pattern"]) if "pattern" in info.data else exposure_id


class HeaderKeys(Table):
    """Which keywords play which role, most wanted first. Values may be numbers or strings of numbers."""

    exposure_time: tuple[str, ...] = ("EXPTIME",)  # seconds that the shutter was open
    date: tuple[str, ...] = ("DATE-OBS",)  # date, or date and time
    time: tuple[str, ...] = ()  # time of day, where the date has none
    utc_offset_h: Annotated[float, Key(ge=-14, le=14)] = 0.0  # of the clock that these are by, east positive; 0: UTC
    filter: tuple[str, ...] = ("FILTER",)  # its spelling is one of `header_values` in fields.toml
    object: tuple[str, ...] = ("OBJECT",)  # what was pointed at, as the observer wrote it
    field: tuple[str, ...] = ()  # the survey's number of the field, where the camera writes it
    ra: tuple[str, ...] = ("RA",)  # of the pointing, ICRS: degrees, or hours where it is written with colons
    dec: tuple[str, ...] = ("DEC",)  # of the pointing, ICRS degrees
    airmass: tuple[str, ...] = ("AIRMASS",)  # at mid-exposure or at the start
    camera: tuple[str, ...] = ("INSTRUME",)  # the camera's name, which `header_name` must match
    detector: tuple[str, ...] = ()  # number of the detector, where the file name does not say it
    program_id: tuple[str, ...] = ()  # number of the observing programme
    sequence: tuple[str, ...] = ()  # name of the sequence that the frame belongs to
    sequence_index: tuple[str, ...] = ()  # which frame of it, from 1
    sequence_length: tuple[str, ...] = ()  # of how many
    ambient_temperature: tuple[str, ...] = ()  # shown on pages; no unit is assumed
    detector_temperature: tuple[str, ...] = ()  # shown on pages; no unit is assumed


class ImageTypeRule(Table):
    """The first rule whose every condition holds names the image's type."""

    kind: ImageType  # what an image is for that every condition holds of
    when: dict[str, Pattern]  # keyword (or group of the file name, as `name:group`) -> regular expression


class Quadrant(Table):
    """One amplifier's image: the unit of reduction."""

    id: Annotated[int, Key(ge=0)]  # number of the amplifier within its detector
    extension: int | str = 0  # of the detector's file
    data_section: Section | None = None  # None: the whole image, less the overscan
    overscan_section: Section | None = None  # columns that see no light; none: only the bias is taken out
    overscan_extension: int | str | None = None  # where the overscan is an image of its own
    sections_from_header: bool = False  # TRIMSEC and BIASSEC, where the header has them, win
    gain: Positive  # electrons per ADU
    read_noise: Positive  # electrons
    saturation: Positive  # ADU, before overscan subtraction
    shape: tuple[int, int]  # rows, columns of the raw image
    linearity: Linearity | None = None  # None: counts are proportional to light
    sky_offset_arcsec: tuple[float, float] = (0.0, 0.0)  # centre from the detector's centre, along (x, y)

    @property
    def data_shape(self) -> tuple[int, int]:
        """Rows and columns of the trimmed image, by the settings."""
        if self.data_section is None:
            return self.shape
        x1, x2, y1, y2 = _bounds(self.data_section)
        return y2 - y1 + 1, x2 - x1 + 1

    @model_validator(mode="after")
    def _sections_in_the_image(self) -> "Quadrant":
        rows, columns = self.shape
        for key in ("data_section", "overscan_section"):
            section = getattr(self, key)
            if section is None:
                continue
            _, x2, _, y2 = _bounds(section)
            if x2 > columns or y2 > rows:
                turned = " (shape is rows first, then columns)" if x2 <= rows and y2 <= columns else ""
                raise ValueError(
                    f"{key} = {section} reaches beyond the image of {columns} columns and {rows} rows, which is what "
                    f"shape = [{rows}, {columns}] says{turned}"
                )
        if self.data_section and self.overscan_section and _overlap(self.data_section, self.overscan_section):
            raise ValueError(
                f"data_section = {self.data_section} and overscan_section = {self.overscan_section} overlap: light "
                "of the data would be taken for the overscan's level"
            )
        return self

    @model_validator(mode="after")
    def _linearity_up_to_saturation(self) -> "Quadrant":
        if self.linearity is not None:
            try:
                self.linearity.check(self.saturation)
            except ValueError as error:
                raise ValueError(f"linearity: {error}") from error
        return self


class Detector(Table):
    """One CCD."""

    id: Annotated[int, Key(ge=0)]  # its number in file names or headers; 1 where there is only one
    name: str = ""  # as pages call it
    focal_plane_mm: tuple[float, float] = (0.0, 0.0)  # centre in the focal plane, along (x, y); for drawing it
    sky_offset_arcsec: tuple[float, float] = (0.0, 0.0)  # centre from the boresight, along (x, y)
    in_service: bool = True  # false: nothing of it is expected or taken in


class Amplifier(Table):
    """What one amplifier has otherwise than the others."""

    detector: int  # id of its detector
    quadrant: int  # id of its quadrant
    gain: Positive | None = None  # electrons per ADU
    read_noise: Positive | None = None  # electrons
    saturation: Positive | None = None  # ADU, before overscan subtraction
    linearity: Linearity | None = None


class Camera(Table):
    """One instrument."""

    instrument: Annotated[str, Key(pattern=r"^[a-z0-9_]+$")]  # in every key; kept for ever
    number: Annotated[int, Key(ge=0, lt=INSTRUMENTS)] = 0  # in the ids of alerts; each instrument has its own
    header_name: Pattern = ".*"  # what the camera's keyword must say, where there is one
    pixel_scale_arcsec: Positive  # of a pixel as it is read out, binning included
    wcs: Literal["header", "pointing", "blind"] = "header"  # where the first guess comes from
    astrometry_indexes: Folder | None = None  # of astrometry.net's index files, for frames without a first guess
    parity: Literal[-1, 1] = -1  # -1: east is left when north is up
    rotation_deg: Annotated[float, Key(ge=-360, le=360)] = 0.0  # of the image's y axis, from north through east
    mask_edge_px: Annotated[int, Key(ge=0)] = 0  # rows and columns at each edge that are not used
    leave_out: tuple[OptionalStep, ...] = ()  # steps of the reduction that this camera goes without
    units_per_task: Literal["detector", "quadrant"] = "detector"  # what one job takes
    file_names: FileNames
    header: HeaderKeys
    image_types: tuple[ImageTypeRule, ...]
    quadrants: tuple[Quadrant, ...]  # of every detector
    detectors: tuple[Detector, ...]
    amplifiers: tuple[Amplifier, ...] = ()
    crosstalk: tuple[Crosstalk, ...] = ()
    bad_pixels: MaskPath | None = None  # FITS masks in the survey's folder, one a quadrant

    @model_validator(mode="after")
    def _blind_with_indexes(self) -> "Camera":
        if self.wcs == "blind" and self.astrometry_indexes is None:
            raise ValueError(
                'wcs = "blind" needs index files: name their folder, astrometry_indexes = "/data/astrometry"'
            )
        return self

    def quadrant(self, detector: int, quadrant: int) -> Quadrant:
        """Return the description of one amplifier's image."""
        base = next((q for q in self.quadrants if q.id == quadrant), None)
        if base is None or detector not in self.detector_ids:
            raise KeyError(f"camera {self.instrument} has no detector {detector} with a quadrant {quadrant}")
        own = next((a for a in self.amplifiers if (a.detector, a.quadrant) == (detector, quadrant)), None)
        if own is None:
            return base
        changes = {key: value for key, value in own if value is not None and key not in ("detector", "quadrant")}
        return base.model_copy(update=changes)

    def crosstalk_of(self, detector: int, quadrant: int) -> tuple[Crosstalk, ...]:
        """Return what one amplifier hears of others."""
        return tuple(c for c in self.crosstalk if c.victim == quadrant and c.detector in (None, detector))

    def bad_pixels_of(self, detector: int, quadrant: int) -> PurePosixPath | None:
        """Return the path, below the survey's folder, of a quadrant's mask of bad pixels; None without one."""
        if self.bad_pixels is None:
            return None
        return PurePosixPath(self.bad_pixels.format(detector=detector, quadrant=quadrant))

    @field_validator("bad_pixels")
    @classmethod
    def _a_mask_for_each_quadrant(cls, bad_pixels: str | None, info: ValidationInfo) -> str | None:
        if bad_pixels is None or not {"detectors", "quadrants"} <= set(info.data):  # wrong themselves
            return bad_pixels
        first: dict[str, tuple[int, int]] = {}
        for detector in (d.id for d in info.data["detectors"] if d.in_service):
            for quadrant in (q.id for q in info.data["quadrants"]):
                path = bad_pixels.format(detector=detector, quadrant=quadrant)
                other = first.setdefault(path, (detector, quadrant))
                if other != (detector, quadrant):
                    raise ValueError(
                        f"detector {other[0]}, quadrant {other[1]} and detector {detector}, quadrant {quadrant} "
                        f"would share the mask {path}; every quadrant has its own: the name needs {{detector}} "
                        "where there are several detectors, and {quadrant} where there are several quadrants"
                    )
        return bad_pixels

    @field_validator("amplifiers")
    @classmethod
    def _amplifiers_of_the_camera(
        cls, amplifiers: tuple[Amplifier, ...], info: ValidationInfo
    ) -> tuple[Amplifier, ...]:
        if not {"detectors", "quadrants"} <= set(info.data):  # wrong themselves
            return amplifiers
        detectors, quadrants = {d.id for d in info.data["detectors"]}, {q.id: q for q in info.data["quadrants"]}
        for own in amplifiers:
            if own.detector not in detectors or own.quadrant not in quadrants:
                raise ValueError(
                    f"detector {own.detector}, quadrant {own.quadrant}: there are detectors {sorted(detectors)} "
                    f"of quadrants {sorted(quadrants)}"
                )
            linearity = own.linearity or quadrants[own.quadrant].linearity
            if linearity is not None:
                try:
                    linearity.check(own.saturation or quadrants[own.quadrant].saturation)
                except ValueError as error:
                    raise ValueError(f"detector {own.detector}, quadrant {own.quadrant}: {error}") from error
        return amplifiers

    @field_validator("crosstalk")
    @classmethod
    def _crosstalk_within_a_file(
        cls, crosstalk: tuple[Crosstalk, ...], info: ValidationInfo
    ) -> tuple[Crosstalk, ...]:
        if not {"detectors", "quadrants"} <= set(info.data):
            return crosstalk
        detectors, quadrants = {d.id for d in info.data["detectors"]}, {q.id: q for q in info.data["quadrants"]}
        seen: set[tuple[int, int, int | None]] = set()
        for entry in sorted(crosstalk, key=lambda entry: entry.detector is not None):  # those of every detector first
            what = f"victim {entry.victim}, source {entry.source}"
            unknown = [number for number in (entry.victim, entry.source) if number not in quadrants]
            if unknown:
                raise ValueError(
                    f"{what}: only what a detector's own file holds can be heard in it: quadrants {sorted(quadrants)}"
                )
            if entry.victim == entry.source:
                raise ValueError(f"{what}: an amplifier has no crosstalk with itself")
            if entry.detector is not None and entry.detector not in detectors:
                raise ValueError(f"{what}: detector {entry.detector} is not one of {sorted(detectors)}")
            shapes = [quadrants[number].data_shape for number in (entry.victim, entry.source)]
            if shapes[0] != shapes[1]:
                raise ValueError(f"{what}: their images have {shapes[0]} and {shapes[1]} pixels; they must be alike")
            key = (entry.victim, entry.source, entry.detector)
            if key in seen or (entry.detector is not None and (*key[:2], None) in seen):
                raise ValueError(f"{what}: is set twice")
            seen.add(key)
        return crosstalk

    @property
    def detector_ids(self) -> tuple[int, ...]:
        """The ids of all detectors in service."""
        return tuple(d.id for d in self.detectors if d.in_service)

    @property
    def quadrant_ids(self) -> tuple[int, ...]:
        """The ids of a detector's quadrants."""
        return tuple(q.id for q in self.quadrants)


# --- fields.toml -------------------------------------------------------------------------------------------


class Filter(Table):
    """One filter."""

    name: str  # in keys and catalogue columns; kept for ever
    header_values: tuple[str, ...]  # how headers and file names spell it
    number: Annotated[int, Key(ge=0)]  # `fid` of an alert
    colour: tuple[str, str] | None = None  # catalogue filters whose difference the colour term is of
    colour_reference: float = 0.0  # colour for which the zero point holds
    extinction: Annotated[float, Key(ge=0)] = 0.0  # magnitudes an airmass, for the zero point above the atmosphere


class Field(Table):
    """One pointing of the survey."""

    id: Annotated[int, Key(ge=0)]  # the survey's number; in keys, kept for ever
    name: str  # as pages call it
    ra_deg: Annotated[float, Key(ge=0, lt=360)]  # of its centre, ICRS
    dec_deg: Annotated[float, Key(ge=-90, le=90)]  # of its centre, ICRS
    radius_deg: Positive = 0.5  # a pointing this close is this field
    object_pattern: Pattern | None = None  # what the header's object says, where that decides
    catalogue: PathBelow | None = None  # below the depot's `catalogues`; None: its own first good frame


class Sky(Table):
    """Fields and filters."""

    filters: tuple[Filter, ...]
    fields: tuple[Field, ...] = ()
    fields_table: TableName | None = None  # more of them: CSV, ECSV or Parquet in the survey's folder
    catalogue: CatalogueName | None = None  # of every field that names none, such as "field{field:06d}.parquet"
    field_from: Literal["pointing", "object", "name"] = "pointing"  # `name`: the group `field` of the file name


# --- policy.toml -------------------------------------------------------------------------------------------


class CalibrationPolicy(Table):
    """When a master is built, and what serves where one is missing."""

    kinds: tuple[CalibrationKind, ...] = (CalibrationKind.BIAS, CalibrationKind.FLAT)  # which masters are made
    at_least_frames: Annotated[int, Key(ge=1)] = 5  # good ones that a master needs
    quiet_s: Positive = 20.0  # a sequence of unknown length has ended when none came for so long
    flat_level_adu: tuple[float, float] = (1000.0, 50000.0)  # useful median levels, overscan subtracted
    flat_ramp_tolerance: Annotated[float, Key(ge=0)] = 0.05  # by which twilight's light may go the wrong way
    dark_current: tuple[float, float] = (-0.5, 2.0)  # plausible median of a dark, electrons a second
    saturated_fraction: Fraction = 0.05  # of a frame; more: it is left out of its master
    unlike_fraction: Fraction = 0.05  # of pixels that differ by `unlike_sigma`
    unlike_sigma: Positive = 6.0  # by how much a pixel differs from the other frames
    gain_apart: Fraction = 0.05  # a measured gain that differs by more serves in place of the settings'
    read_noise_apart: Fraction = 0.25  # the same for the read noise
    epochs: tuple[date, ...] = ()  # nights from which the hardware is other: no master of before serves from then on
    wait_s: Positive = 120.0  # first: real seconds that a science frame waits for its master
    substitute_days: Annotated[int, Key(ge=0)] = 30  # second: how old another night's may be
    without_master: Literal["degrade", "hold"] = "degrade"  # third: go on without and say so, or hold

    def epoch(self, night: date) -> int:
        """Return the number of the epoch that a night lies in, from 1."""
        return 1 + sum(begins <= night for begins in self.epochs)

    def epoch_begins(self, night: date) -> date:
        """Return the first night of a night's epoch; the first epoch has always been."""
        return max((begins for begins in self.epochs if begins <= night), default=date.min)

    @field_validator("epochs")
    @classmethod
    def _epochs_in_order(cls, epochs: tuple[date, ...]) -> tuple[date, ...]:
        if list(epochs) != sorted(set(epochs)):
            raise ValueError("nights in rising order, none twice")
        return epochs


class ReferencePolicy(Table):
    """What a field's reference is made of and when it serves."""

    at_least_frames: Annotated[int, Key(ge=1)] = 6  # good ones of a field and filter that a reference needs
    at_most_frames: Annotated[int, Key(ge=1)] = 15  # of more, those that `choose` puts first
    choose: Literal["first", "best_seeing"] = "first"  # in shutter order, or by FWHM
    first_serves: Literal["now", "next_night"] = "now"  # the first of a field and filter


class ExposurePolicy(Table):
    """How long the parts of an exposure are waited for, in real seconds."""

    detectors_wait_s: Positive = 120.0  # since its first file: then go on with those that came
    soft_deadline_s: Positive = 120.0  # of the gather: go on without the stragglers
    hard_deadline_s: Positive = 600.0  # of the gather: declare them failed
    stillness_s: Annotated[float, Key(ge=0)] = 1.0  # a file whose size holds so long is complete
    attempts: Annotated[int, Key(ge=1)] = 3  # of a unit, before it is declared failed


class IngestPolicy(Table):
    """Who takes files in from the inbox."""

    by: Literal["auto", "watch", "jobs"] = "auto"  # auto: by jobs where a cluster runs them, else by the watch itself
    at_once: Annotated[int, Key(ge=1)] = 8  # arrays of files at once, the newest exposures first
    exposures_per_array: Annotated[int, Key(ge=1)] = 64  # of a backlog; a rest goes with the last
    task_mb: Positive = 64.0  # of files, in a task of an array of several exposures


class AlertPolicy(Table):
    """Which candidates become alerts, and where they go."""

    publisher: str  # in each packet: who sends it
    ids: Literal["ztf", "nightshift"] = "ztf"  # rule of `candid` and `pid`; `nightshift`: large and several cameras
    object_prefix: str = "NS"  # two letters or so before the name of an object
    match_radius_arcsec: Positive = 1.5  # a detection this close is the same object
    history_days: Positive = 30.0  # how far back the detections reach that a packet brings
    signal_to_noise: Positive = 5.0  # of a candidate, at least
    at_most_per_unit: Annotated[int, Key(ge=1, le=999)] = 200  # more is a flood
    order_wait_s: Positive = 600.0  # for what comes before it in its field, in real seconds; then out of order
    topic: str = "{survey}_{night}_programid{program_id}"  # with {survey}, {night} and {program_id}
    program_id: int = 1  # of frames whose header does not say one
    missing: Literal["sentinels", "nulls"] = "sentinels"  # for what is not known
    # cuts of the packet maker, as (least, most)
    fwhm_px: tuple[float, float] = (0.0, 7.0)  # (least, most) of a candidate
    elongation: tuple[float, float] = (1.0, 1.6)  # (least, most) of a candidate
    bad_pixels_at_most: int = 4  # in 5x5 pixels about a candidate
    magnitude_difference: tuple[float, float] = (-0.4, 0.75)  # (least, most) of aperture less PSF magnitude
    real_bogus_at_least: Fraction = 0.0  # of `rb`; 0 lets everything pass


class MovingObjectPolicy(Table):
    """How one night's detections are linked."""

    at_least_detections: Annotated[int, Key(ge=3)] = 4  # of a tracklet
    rate_deg_per_day: tuple[float, float] = (0.02, 5.0)  # (slowest, fastest) that is looked for
    residual_arcsec: Positive = 1.0  # by which a detection may lie off the line
    signal_to_noise: Positive = 5.0  # of a detection, at least


class StoragePolicy(Table):
    """When the night waits for free space on its disks, and what leaves the ledger."""

    least_free_mb: Positive = 500.0  # of inbox, depot and archive; the databases need some too
    keep_events_days: Annotated[int, Key(ge=30)] = 400  # older ones may go into the archive: ledger prune-events
    keep_airflow_days: Annotated[int, Key(ge=7)] = 30  # older runs leave Airflow's own metadata: airflow prune


class NightPolicy(Table):
    """How a night ends, in real seconds."""

    manifest_pattern: Pattern = r"^manifest_(?P<night>\d{8})(?:_(?P<part>\d+))?\.json$"  # of the manifest's file name
    grace_s: Positive = 20.0  # late files are taken in for so long after the manifest
    hard_deadline_s: Positive = 900.0  # then whatever still runs is declared failed
    mail_to: tuple[str, ...] = ("operator@localhost",)  # who gets the mail in the morning
    mail_from: str = "nightshift@localhost"  # its sender


def _bounded(name: str) -> str:
    known = [measurement.name for measurement in bounded_measurements()]
    if name not in known:
        raise ValueError(f"{name!r} is not a measurement that may be bounded; those are {', '.join(known)}")
    return name


class Thresholds(Table):
    """Bounds on one measurement, dated: warn and fail on both sides; a missing side is unbounded."""

    name: Annotated[str, AfterValidator(_bounded)]  # of nightshift/vocabulary/measurements.py
    valid_from: date = date(2000, 1, 1)  # the day from which it holds; a later entry of the same name takes over
    filter: str | None = None  # of one filter alone; none: of all
    warn: tuple[float | None, float | None] = (None, None)  # (least, most): beyond, it is said
    fail: tuple[float | None, float | None] = (None, None)  # (least, most): beyond, the image is rejected


class ReductionSettings(Table):
    """Numbers of the recipes that a survey may wish to change."""

    background_mesh_px: Annotated[int, Key(ge=8)] = 64  # side of a cell of the sky's mesh
    detection_sigma: Positive = 5.0  # of sources, above the sky's noise
    cosmic_ray_sigma: Positive = 5.0  # of a hit, above the noise of its surroundings
    match_radius_arcsec: Positive = 3.0  # between a star and its catalogue entry, once the WCS is fitted
    pointing_error_arcsec: Positive = 60.0  # by which the first guess may be off; six times as far is tried too
    aperture_radius_px: Positive = 4.0  # of the aperture that fluxes are compared in
    difference_method: Literal["delta_basis", "zogy"] = "delta_basis"  # the other is a second opinion
    kernel_radius_px: Annotated[int, Key(ge=1)] = 7  # half the side of the kernel that matches reference and image
    kernel_order: Annotated[int, Key(ge=0)] = 4  # at most; fewer stars give a lower one
    difference_sigma: Positive = 5.0  # of a candidate, in the score image
    cutout_px: Annotated[int, Key(ge=9)] = 63  # side of the stamps in a packet
    injection_fraction: Fraction = 0.02  # of quadrants, differenced again with new sources put in
    injection_sources: Annotated[int, Key(ge=1)] = 200  # at most, in each
    compression: Literal["none", "masks", "all"] = "all"  # of calibrated images and differences; masks lose nothing
    steps_per_noise: Annotated[float, Key(ge=2)] = 16.0  # to which `all` rounds images, of the typical pixel's noise


# --- jobs.toml ---------------------------------------------------------------------------------------------


class Profile(Table):
    """What a kind of job asks of the runner."""

    memory_mb: Positive = 1500.0  # asked for; more is asked for after a job ran out of it
    time_s: Positive = 600.0  # asked for, wall time
    cores: Annotated[int, Key(ge=1)] = 1  # asked for
    priority: int = 0  # added to what the rules say (nightshift/workflow/priorities.py); higher goes first
    partition: str | None = None  # of the cluster
    qos: str | None = None  # of the cluster
    account: str | None = None  # of the cluster
    backlog_partition: str | None = None  # where work goes that real-time work may displace; it is requeued then
    backlog_qos: str | None = None  # the same as a quality of service
    environment: dict[str, str] = Key(default_factory=dict)  # variables of the job


class Survey(Table):
    """Everything that is set for a survey."""

    name: Annotated[str, Key(pattern=r"^[a-z0-9_]+$")]
    title: str
    site: Site
    camera: Camera
    sky: Sky
    calibration: CalibrationPolicy = CalibrationPolicy()
    reference: ReferencePolicy = ReferencePolicy()
    exposure: ExposurePolicy = ExposurePolicy()
    ingest: IngestPolicy = IngestPolicy()
    alerts: AlertPolicy
    moving_objects: MovingObjectPolicy = MovingObjectPolicy()
    night: NightPolicy = NightPolicy()
    report: ReportPolicy = ReportPolicy()
    preflight: PreflightPolicy = PreflightPolicy()
    night_watch: NightWatchPolicy = NightWatchPolicy()
    plan: PlanPolicy = PlanPolicy()
    storage: StoragePolicy = StoragePolicy()
    messages: MessageSettings = MessageSettings()
    archive: ArchivePolicy = ArchivePolicy()
    copies: CopyPolicy = CopyPolicy()
    retention: RetentionPolicy = RetentionPolicy()
    disks: DiskPolicy = DiskPolicy()
    coverage: CoveragePolicy = CoveragePolicy()
    backup: BackupPolicy = BackupPolicy()
    reduction: ReductionSettings = ReductionSettings()
    thresholds: tuple[Thresholds, ...] = ()
    profiles: dict[str, Profile] = Key(default_factory=dict)

    def profile(self, kind: str) -> Profile:
        """Return what a kind of job asks of the runner."""
        return self.profiles.get(kind, Profile())

    def filter_by_header(self, value: str) -> Filter | None:
        """Return the filter that headers or file names spell so, or None."""
        return next((f for f in self.sky.filters if value in f.header_values or value == f.name), None)

    def field(self, field_id: int) -> Field | None:
        """Return the field of that id, or None where the survey does not list it."""
        return next((f for f in self.sky.fields if f.id == field_id), None)

    def catalogue_of(self, field_id: int) -> PurePosixPath | None:
        """Return the path of a field's catalogue below the folder of catalogues; None where it has none."""
        field = self.field(field_id)
        if field is not None and field.catalogue is not None:
            return field.catalogue
        return PurePosixPath(self.sky.catalogue.format(field=field_id)) if self.sky.catalogue else None

    @model_validator(mode="after")
    def _references_between_tables(self) -> "Survey":
        for what, ids in (
            ("camera.detectors", [d.id for d in self.camera.detectors]),
            ("camera.quadrants", [q.id for q in self.camera.quadrants]),
            ("sky.fields", [f.id for f in self.sky.fields]),
            ("sky.filters", [f.name for f in self.sky.filters]),
        ):
            if twice := sorted({str(one) for one, count in Counter(ids).items() if count > 1}):
                raise ValueError(f"{what}: two entries have the id {', '.join(twice[:5])}")
        if unknown := sorted(set(self.profiles) - {kind.name for kind in kinds()}):
            raise ValueError(
                f"profiles: there is no kind of work {', '.join(unknown)}; there are "
                f"{', '.join(sorted(kind.name for kind in kinds()))}"
            )
        channels, limit = len(self.camera.detectors) * len(self.camera.quadrants), CHANNELS[self.alerts.ids]
        if channels > limit:
            larger = (
                'set alerts.ids = "nightshift"' if channels <= CHANNELS["nightshift"] else "no rule holds so many"
            )
            raise ValueError(
                f"camera {self.camera.instrument} has {channels} read-out channels (detectors times quadrants), and "
                f'alerts.ids = "{self.alerts.ids}" numbers {limit}: {larger}'
            )
        if self.reference.at_least_frames > self.reference.at_most_frames:
            raise ValueError("reference.at_least_frames must not exceed reference.at_most_frames")
        self.retention.check_history(self.alerts.history_days)
        return self
