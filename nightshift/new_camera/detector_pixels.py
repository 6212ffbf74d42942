"""What the pixels of one amplifier's images say: sections, read noise, gain, and where it is full."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nightshift.ingest.naming import shown
from nightshift.new_camera.guesses import Certainty, Guess, asked
from nightshift.new_camera.raw_files import Plane, Progress, RawFile
from nightshift.new_camera.star_frames import prepared
from reduction.detector.dark_edges import lit_section
from reduction.detector.full_pixels import full_from
from reduction.detector.layout import Layout, Section, parse_section
from reduction.detector.lit_area import find_lit_area
from reduction.detector.photon_transfer import (
    Estimate,
    measure_gain,
    measure_gain_between_levels,
    measure_read_noise,
)
from reduction.detector.raw import read_quadrant
from reduction.detector.raw_statistics import overscan_noise
from reduction.image.frame import Frame
from reduction.problems import Unusable

__all__ = ["AmplifierPixels", "FramesByKind", "look_at_amplifier"]

TRIM, OVERSCAN = ("TRIMSEC", "DATASEC"), ("BIASSEC", "OVERSCAN", "BIAS01")
GAIN = ("EGAIN", "GAIN", "AGAIN_01", "GAIN1", "CCDGAIN", "GAINFACT")
READ_NOISE = ("RDNOISE", "READNOIS", "READNOISE", "ARDNS_01", "RDNOISE1", "RON", "ENOISE")
SATURATION = ("SATURATE", "SATLEVEL", "SATURAT", "MAXLIN", "DATAMAX")
LIKELY_GAIN = (0.05, 40.0)  # electrons per ADU; outside of it the card is a setting of the camera, and no gain
PAIRS_OF = 4  # frames whose pairs tell the noise
BRIGHT_FRAMES = 12  # that are searched for full pixels
EDGE_PX = 2  # by which sections of header and pixels may differ
GAP_PX = 4  # between light and overscan: charge trails
NARROWEST_PX = 5
AGREES = 0.10  # two gains
OF_FULL_SCALE = 0.92  # a usual saturation where none was seen
FLAT_AT_MOST = 0.8  # of the saturation
ALIKE = 0.2  # by which levels of flats may differ, for a pair without a bias


@dataclass(frozen=True)
class FramesByKind:
    """Frames of the full size that fit together, each in order of time."""

    biases: Sequence[RawFile]
    darks: Sequence[RawFile]
    flats: Sequence[RawFile]
    science: Sequence[RawFile]


@dataclass(frozen=True)
class AmplifierPixels:
    """What is known of an amplifier.

    Parameters
    ----------
    layout : Layout
        With the guesses in it, or 1 for what is not known.
    guesses : tuple of Guess
        For ``[[camera.quadrants]]``.
    dark : ndarray or None
        What the detector shows without light, ADU.
    flat_level : tuple of float or None
        The lowest and highest median of a flat, ADU above the pedestal as far as it is known.
    pedestal_known : bool
        By an overscan or by biases.
    notes : tuple of str
    """

    layout: Layout
    guesses: tuple[Guess, ...]
    dark: np.ndarray | None
    flat_level: tuple[float, float] | None
    pedestal_known: bool
    notes: tuple[str, ...]


def look_at_amplifier(plane: Plane, frames: FramesByKind, progress: Progress) -> AmplifierPixels:
    """Measure one amplifier's images."""
    progress(f"extension {plane.extension}: sections")
    layout = Layout(plane.extension, plane.shape, gain=1.0, read_noise=1.0, saturation=np.inf)
    sections, layout, notes = _sections(plane, layout, frames)
    progress(f"extension {plane.extension}: saturation")
    saturation, layout = _saturation(plane, layout, frames)
    progress(f"extension {plane.extension}: read noise and gain")
    biases, every_flat = _read(frames.biases[:PAIRS_OF], layout), _read(frames.flats, layout)
    flats = _useful(every_flat, layout)
    bias = np.median([frame.image for frame in biases], axis=0) if biases else None
    noise = measure_read_noise(biases) or _noise_of_overscan(layout, frames)
    gain = _gain(plane, layout, bias, noise, flats, frames)
    read_noise = _read_noise(plane, noise, gain)
    guesses = (Guess("extension", plane.extension, Certainty.SURE, "The image's place in the files; 0 is the first."),
               Guess("shape", list(plane.shape), Certainty.SURE, "Rows and columns."),
               *sections, gain, read_noise, saturation)  # fmt: skip
    layout = replace(layout, gain=_or_one(gain), read_noise=_or_one(read_noise))
    darks = _read(frames.darks[:PAIRS_OF], layout)
    dark = np.median([frame.image for frame in darks], axis=0) if darks else bias
    known = bias is not None or layout.overscan is not None
    levels = [float(np.median(flat.image if bias is None else flat.image - bias)) for flat in flats]
    return AmplifierPixels(layout, guesses, dark, (min(levels), max(levels)) if levels else None, known, tuple(notes))


def _or_one(guess: Guess) -> float:
    return float(guess.value) if isinstance(guess.value, int | float) else 1.0


def _read(files: Sequence[RawFile], layout: Layout) -> list[Frame]:
    """Return prepared frames of one shape; those that do not read are left out."""
    frames: list[Frame] = []
    for file in files:
        try:
            frames.append(prepared(file, layout))
        except Unusable:
            continue
    return [frame for frame in frames if frame.shape == frames[0].shape]


def _useful(flats: Sequence[Frame], layout: Layout) -> list[Frame]:
    """Return the flats that are not overexposed, so few that pairs of them tell the noise."""
    return [flat for flat in flats if float(np.median(flat.image)) < FLAT_AT_MOST * layout.saturation][:PAIRS_OF]


def _raw(file: RawFile, layout: Layout) -> np.ndarray | None:
    try:
        return read_quadrant(file.path, layout)[0].image
    except Unusable:
        return None


# --- sections ------------------------------------------------------------------------------------------------


def _sections(plane: Plane, layout: Layout, frames: FramesByKind) -> tuple[list[Guess], Layout, list[str]]:
    """Return guesses for the sections, the layout with them, and what does not agree."""
    named = _of_header(plane, TRIM), _of_header(plane, OVERSCAN)
    lit = _lit(frames, layout)
    (data_key, data), (bias_key, overscan) = named
    whole = Section((0, plane.shape[0]), (0, plane.shape[1]))
    if data is not None and data.fits_in(plane.shape):
        return _by_header(plane, layout, (data_key, data), (bias_key, overscan), lit)
    notes = [] if data is None else [f"{data_key} lies outside of the image of {plane.shape} pixels and is not used."]
    if lit is None or lit == whole:
        says = "The whole image: no header names sections, and the pixels show no edge without light."
        if lit is None:
            says = "The whole image: no header names sections, and no frame has the light to show an edge."
        certainty = Certainty.LIKELY if lit is not None and frames.flats else Certainty.UNSURE
        return [Guess("data_section", _written(whole), certainty, says)], layout, notes
    return *_by_pixels(plane, layout, lit), notes


def _by_header(
    plane: Plane, layout: Layout, data: tuple[str, Section], overscan: tuple[str, Section | None], lit: Section | None
) -> tuple[list[Guess], Layout, list[str]]:
    key, section = data
    agrees = lit is None or _alike(section, lit)
    seen = "no frame has the light to check it" if lit is None else f"light falls on {_written(lit)}"
    says = f"{key} = {plane.header[key]}; {seen}."
    guesses = [Guess("data_section", _written(section), Certainty.SURE if agrees and lit else Certainty.UNSURE, says)]
    notes = [] if agrees else [f"{key} and the pixels differ: {says}"]
    bias_key, strip = overscan
    if strip is None or not strip.fits_in(plane.shape) or strip == section:
        return guesses, replace(layout, data=section), notes
    dark = (
        lit is None
        or strip.columns[0] >= lit.columns[1]
        or strip.columns[1] <= lit.columns[0]
        or strip.rows[0] >= lit.rows[1]
    )
    says = f"{bias_key} = {plane.header[bias_key]}; {'it gets no light' if dark else 'light falls on it!'}"
    guesses.append(
        Guess("overscan_section", _written(strip), Certainty.SURE if dark and lit else Certainty.UNSURE, says)
    )
    if (key, bias_key) == ("TRIMSEC", "BIASSEC") and dark and agrees:
        guesses.append(
            Guess(
                "sections_from_header", True, Certainty.SURE, "Both agree with the pixels, so each file's own hold."
            )
        )
    return guesses, replace(layout, data=section, overscan=strip), notes


def _by_pixels(plane: Plane, layout: Layout, lit: Section) -> tuple[list[Guess], Layout]:
    """Return the sections that the pixels show: a pixel of each dark edge is left out of the light."""
    rows, columns = plane.shape
    data = Section(_within(lit.rows, rows), _within(lit.columns, columns))
    guesses = [
        Guess("data_section", _written(data), Certainty.LIKELY, f"Light falls on {_written(lit)}; a pixel less.")
    ]
    before, after = (0, lit.columns[0] - GAP_PX), (lit.columns[1] + GAP_PX, columns - 1)
    wider = max((before, after), key=lambda strip: strip[1] - strip[0])
    if wider[1] - wider[0] < NARROWEST_PX:
        return guesses, replace(layout, data=data)
    overscan = Section((0, rows), wider)
    says = f"These columns get no light; {GAP_PX} beside it are left out, where charge trails."
    guesses.append(Guess("overscan_section", _written(overscan), Certainty.LIKELY, says))
    return guesses, replace(layout, data=data, overscan=overscan)


def _within(lit: tuple[int, int], size: int) -> tuple[int, int]:
    return lit[0] + (lit[0] > 0), lit[1] - (lit[1] < size)


def _of_header(plane: Plane, keywords: Sequence[str]) -> tuple[str, Section | None]:
    for keyword in keywords:
        try:
            return keyword, parse_section(str(plane.header[keyword]))
        except (KeyError, ValueError):
            continue
    return "", None


def _lit(frames: FramesByKind, layout: Layout) -> Section | None:
    """Return where light falls, by two frames that agree, flats before others."""
    bias = _raw(frames.biases[0], layout) if frames.biases else None
    found = []
    for file in [*frames.flats, *frames.science][:6]:
        image = _raw(file, layout)
        if image is not None and (section := _lit_section(image, bias)) is not None:
            found.append(section)
    return next((section for section in found if sum(_alike(section, other) for other in found) > 1), None)


def _lit_section(image: np.ndarray, bias: np.ndarray | None) -> Section | None:
    """Return where light falls on a frame: by a bias where there is one, else by the image's own edges."""
    if bias is None:
        return lit_section(image)
    lit = find_lit_area(image, bias)
    return None if lit is None else lit.section


def _alike(one: Section, other: Section) -> bool:
    pairs = zip((*one.rows, *one.columns), (*other.rows, *other.columns), strict=True)
    return all(abs(a - b) <= EDGE_PX for a, b in pairs)


def _written(section: Section) -> str:
    return f"[{section.columns[0] + 1}:{section.columns[1]},{section.rows[0] + 1}:{section.rows[1]}]"


# --- saturation ----------------------------------------------------------------------------------------------


def _saturation(plane: Plane, layout: Layout, frames: FramesByKind) -> tuple[Guess, Layout]:
    files = [*frames.flats, *frames.science]
    chosen = files[:: max(1, len(files) // BRIGHT_FRAMES)]
    images = [image for file in chosen if (image := _raw(file, layout)) is not None]
    found = full_from(images)
    most = max((float(np.nanmax(image)) for image in images if np.isfinite(image).any()), default=0.0)
    guess = _saturation_guess(plane, found, most, len(images))
    value = guess.value if isinstance(guess.value, float) else np.inf
    return guess, replace(layout, saturation=value)


def _saturation_guess(plane: Plane, found: tuple[float, int] | None, most: float, number: int) -> Guess:
    if found is not None:
        says = f"In {number} frames {found[1]} pixels pile up at the histogram's end, some 3% above."
        return Guess("saturation", float(round(found[0], -2)), Certainty.LIKELY, says)
    for keyword in SATURATION:
        if value := _number(plane, keyword):
            return Guess(
                "saturation",
                value,
                Certainty.UNSURE,
                f"{keyword}; the brightest pixel of {number} frames has {most:.0f}.",
            )
    full = _full_scale(plane)
    if full is None:
        return asked(
            "saturation", f"From how many ADU a pixel is full (the brightest of {number} frames has {most:.0f})."
        )
    seen = f"Not seen: the brightest pixel of {number} frames has {most:.0f} ADU"
    says = f"{seen}. {OF_FULL_SCALE:.0%} of what {plane.bits} bits hold."
    return Guess("saturation", float(round(max(OF_FULL_SCALE * full, 1.0), -2)), Certainty.UNSURE, says)


def _full_scale(plane: Plane) -> float | None:
    """Return the largest number that a stored pixel holds; None where it says nothing of the converter."""
    if plane.bits != 16:
        return None
    return 65535.0 if _signed(plane, "BZERO") == 32768.0 else 32767.0


def _signed(plane: Plane, keyword: str) -> float:
    try:
        return float(plane.header.get(keyword, 0.0))
    except (TypeError, ValueError):
        return 0.0


def _number(plane: Plane, keyword: str) -> float | None:
    number = _signed(plane, keyword)
    return number if np.isfinite(number) and number > 0 else None


# --- gain and read noise ---------------------------------------------------------------------------------------


def _noise_of_overscan(layout: Layout, frames: FramesByKind) -> Estimate | None:
    """Return the read noise in the overscan, ADU, where there are no two biases."""
    files = [*frames.darks, *frames.flats, *frames.science][:1]
    image = _raw(files[0], layout) if files and layout.overscan is not None else None
    noise = overscan_noise(layout.overscan.of(image)) if image is not None and layout.overscan is not None else None
    return None if noise is None else Estimate(noise, 0.05 * noise)


def _gain(
    plane: Plane, layout: Layout, bias: np.ndarray | None, noise: Estimate | None, flats: Sequence[Frame],
    frames: FramesByKind,
) -> Guess:  # fmt: skip
    """Return the gain: of pairs of flats, checked by the header, or the header's alone."""
    declared = _declared(plane, GAIN, LIKELY_GAIN)
    measured, how = _measured_gain(layout, bias, noise, flats, frames)
    if measured is None:
        if declared is None:
            return asked("gain", "Electrons per ADU. Two flats of one level and two biases would tell.")
        return Guess("gain", declared[1], Certainty.UNSURE, f"{declared[0]}; {how}.")
    value = round(measured.value, 3)
    says = f"Measured {how}: {measured.value:.3f} +- {measured.error:.3f}"
    if declared is None:
        return Guess("gain", value, Certainty.LIKELY, f"{says}; no header says it.")
    agrees = abs(measured.value / declared[1] - 1) < AGREES
    words = "agrees" if agrees else "is not believed"
    return Guess(
        "gain",
        value,
        Certainty.SURE if agrees else Certainty.LIKELY,
        f"{says}; {declared[0]} = {declared[1]:g} {words}.",
    )


def _measured_gain(
    layout: Layout, bias: np.ndarray | None, noise: Estimate | None, flats: Sequence[Frame], frames: FramesByKind
) -> tuple[Estimate | None, str]:
    """Return the gain by photon transfer, and how it was measured or why not."""
    if len(flats) < 2:
        return None, "no two flats to measure it on"
    if noise is not None and (bias is not None or layout.overscan is not None):
        light = flats if bias is None else [replace(flat, image=flat.image - bias) for flat in flats]
        return measure_gain(light, noise.value), f"on {len(flats)} flats"
    faint = _read(frames.science[:PAIRS_OF], layout)
    levels = [float(np.median(flat.image)) for flat in flats]
    if max(levels) > (1 + ALIKE) * min(levels):
        return None, "no bias, and the flats' levels differ"
    return measure_gain_between_levels(faint, flats), "between the levels of flats and sky, as no bias fits"


def _declared(plane: Plane, keywords: Sequence[str], bounds: tuple[float, float]) -> tuple[str, float] | None:
    """Return the first keyword of the header whose value can be true, and the value."""
    for keyword in keywords:
        value = _number(plane, keyword)
        if value is not None and bounds[0] <= value <= bounds[1]:
            return shown(keyword), value
    return None


def _read_noise(plane: Plane, noise: Estimate | None, gain: Guess) -> Guess:
    """Return the read noise: of pairs of biases, or the header's."""
    declared = _declared(plane, READ_NOISE, (0.1, 1000.0))
    beside = f"; {declared[0]} = {declared[1]:g}" if declared else ""
    if noise is not None and isinstance(gain.value, int | float):
        says = f"Measured {noise.value:.2f} ADU on pairs of biases, or in the overscan{beside}."
        certainty = Certainty.LIKELY if gain.certainty is Certainty.UNSURE else gain.certainty
        return Guess("read_noise", round(noise.value * float(gain.value), 2), certainty, says)
    if declared:
        return Guess("read_noise", declared[1], Certainty.UNSURE, f"{declared[0]}; no two biases to measure it on.")
    return asked("read_noise", "Read noise in electrons. Two biases would tell.")
