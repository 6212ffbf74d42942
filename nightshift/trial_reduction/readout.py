"""Whether an amplifier's sections, overscan, noise and saturation are what the raw pixels show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nightshift.jobs.translate import layout_of
from nightshift.settings import Survey
from nightshift.trial_reduction.frames import TrialFrame
from nightshift.trial_reduction.remarks import Remark, error, good, warning
from nightshift.vocabulary import ImageType
from reduction.array_types import Float32Array
from reduction.detector.layout import Layout, Section
from reduction.detector.lit_area import LitArea, find_lit_area
from reduction.detector.raw import read_quadrant
from reduction.detector.raw_statistics import overscan_noise
from reduction.problems import Unusable

__all__ = ["check_readout"]

CAMERA = "camera.toml"
MOST = 0.5  # of the pixels: a saturation that more of them pass is none
CEILING_PIXELS = 20  # at exactly the highest value: the converter's end, and no star's peak
DARK_TOLERANCE = 2  # columns or rows at the edge of a section that may be half lit
UNUSED_SHARE = 0.03  # of the lit columns or rows that may lie outside of the data section


@dataclass(frozen=True)
class RawImage:
    """One amplifier's raw pixels of a frame (ADU), with the layout that holds for its file."""

    name: str
    image: Float32Array
    layout: Layout


def check_readout(survey: Survey, frames: Sequence[TrialFrame], detector: int, quadrant: int) -> Iterator[Remark]:
    """Yield what the raw pixels of an amplifier say against its settings: one frame of each type is read.

    Parameters
    ----------
    survey : Survey
    frames : sequence of TrialFrame
    detector, quadrant : int
    """
    images: dict[ImageType, RawImage] = {}
    for image_type in (ImageType.BIAS, ImageType.DARK, ImageType.FLAT, ImageType.SCIENCE):
        chosen = _middle(frames, image_type, detector)
        if chosen is None:
            continue
        try:
            image, layout = read_quadrant(chosen.path, layout_of(survey, detector, quadrant))
        except Unusable as problem:
            yield error(survey, str(problem), CAMERA, f"{_key(quadrant)} (shape, extension, sections)")
            continue
        images[image_type] = RawImage(chosen.path.name, image.image, layout)
        yield from _saturation(survey, images[image_type], image_type, quadrant)
    if ImageType.BIAS in images:
        yield from _overscan_noise(survey, images[ImageType.BIAS], quadrant)
    yield from _sections(survey, images, quadrant)


def _middle(frames: Sequence[TrialFrame], image_type: ImageType, detector: int) -> TrialFrame | None:
    """Return the frame in the middle of those of a type: the first and last of a series are the odd ones."""
    found = [item for item in frames if item.frame.image_type is image_type and item.frame.key.detector == detector]
    found.sort(key=lambda item: item.frame.header.shutter_open)
    return found[len(found) // 2] if found else None


def _key(quadrant: int) -> str:
    return f"[[camera.quadrants]] of id {quadrant}"


def _saturation(survey: Survey, raw: RawImage, image_type: ImageType, quadrant: int) -> Iterator[Remark]:
    values, limit = raw.image[np.isfinite(raw.image)], raw.layout.saturation
    if not values.size:
        yield error(survey, f"{raw.name}: no pixel has a value", CAMERA, f"{_key(quadrant)}, extension")
        return
    full, highest = float((values >= limit).mean()), float(values.max())
    if full > MOST:
        yield error(
            survey,
            f"{full:.0%} of the pixels of the {image_type.value} {raw.name} (median {np.median(values):.0f} ADU) "
            f"reach the saturation of {limit:g} ADU: they would all be flagged",
            CAMERA, f"{_key(quadrant)}, saturation",
        )  # fmt: skip
    elif highest < limit and int((values == highest).sum()) >= CEILING_PIXELS and image_type is not ImageType.BIAS:
        yield error(
            survey,
            f"pixels of {raw.name} end at {highest:.0f} ADU, {int((values == highest).sum())} of them exactly there, "
            f"and the saturation of {limit:g} ADU is never reached: saturated stars would be taken for good ones",
            CAMERA, f"{_key(quadrant)}, saturation (below {highest:.0f})",
        )  # fmt: skip


def _overscan_noise(survey: Survey, bias: RawImage, quadrant: int) -> Iterator[Remark]:
    section, layout = bias.layout.overscan, bias.layout
    noise = overscan_noise(section.of(bias.image)) if section is not None else None
    if section is None or noise is None:
        return
    level, electrons = float(np.nanmedian(section.of(bias.image))), noise * layout.gain
    text = (
        f"{bias.name}: the overscan's level is {level:.0f} ADU, its noise {noise:.2f} ADU or {electrons:.1f} "
        f"electrons by a gain of {layout.gain:g}; the settings say {layout.read_noise:g} electrons"
    )
    if abs(electrons - layout.read_noise) > survey.calibration.read_noise_apart * layout.read_noise:
        yield warning(survey, text, CAMERA, f"{_key(quadrant)}, read_noise (or gain)")
    else:
        yield good(text)


def _sections(survey: Survey, images: Mapping[ImageType, RawImage], quadrant: int) -> Iterator[Remark]:
    """Hold the sections against where the pixels of a bright frame jump."""
    bias = images.get(ImageType.BIAS) or images.get(ImageType.DARK)
    bright = images.get(ImageType.FLAT) or images.get(ImageType.SCIENCE)
    if bias is None or bright is None or bias.image.shape != bright.image.shape:
        return
    lit = find_lit_area(bright.image, bias.image)
    if lit is None:
        yield warning(
            survey, f"{bright.name} has too little light to tell where the data end: give a flat", CAMERA,
            f"{_key(quadrant)}, data_section",
        )  # fmt: skip
        return
    wrong = [*_dark_data(survey, lit, bright, quadrant), *_lit_overscan(survey, lit, bright, quadrant)]
    yield from wrong or [good(f"{bright.name} is lit in {_text(lit.section)}, as the sections have it")]


def _dark_data(survey: Survey, lit: LitArea, bright: RawImage, quadrant: int) -> Iterator[Remark]:
    rows, columns = bright.image.shape
    data = bright.layout.data or Section((0, rows), (0, columns))
    dark = max(_count(~lit.columns, data.columns), _count(~lit.rows, data.rows))
    found = f"{bright.name} is lit in {_text(lit.section)} and the data section is {_text(data)}"
    if dark > DARK_TOLERANCE:
        yield error(
            survey, f"{found}: {dark} of its columns or rows saw no light", CAMERA, f"{_key(quadrant)}, data_section"
        )
        return
    outside = max(
        (lit.columns.sum() - _count(lit.columns, data.columns)) / max(lit.columns.sum(), 1),
        (lit.rows.sum() - _count(lit.rows, data.rows)) / max(lit.rows.sum(), 1),
    )
    if outside > UNUSED_SHARE:
        yield warning(
            survey, f"{found}: {outside:.0%} of the lit columns or rows are not used", CAMERA,
            f"{_key(quadrant)}, data_section",
        )  # fmt: skip


def _lit_overscan(survey: Survey, lit: LitArea, bright: RawImage, quadrant: int) -> Iterator[Remark]:
    overscan = bright.layout.overscan
    if overscan is None:
        return
    columns, rows = _count(lit.columns, overscan.columns), _count(lit.rows, overscan.rows)
    # an overscan beside the data shares its rows, and one above it its columns
    lit_lines = min(columns, rows)
    if lit_lines > DARK_TOLERANCE:
        yield error(
            survey,
            f"the overscan section {_text(overscan)} is lit in {bright.name} along {lit_lines} columns or rows: "
            f"light of the data would be subtracted. The image is lit in {_text(lit.section)}",
            CAMERA, f"{_key(quadrant)}, overscan_section",
        )  # fmt: skip


def _count(which: np.ndarray, span: tuple[int, int]) -> int:
    return int(which[slice(*span)].sum())


def _text(section: Section) -> str:
    """Return a section as FITS writes it, counted from 1."""
    (y1, y2), (x1, x2) = section.rows, section.columns
    return f"[{x1 + 1}:{x2},{y1 + 1}:{y2}]"
