"""The pictures of a quadrant's difference: the whole field, its score, and its candidates as stamps."""

import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nightshift.errors import BadInput
from nightshift.inspect.pixel_pictures import Picture, above_sky, axes_of, binned, extent, png
from nightshift.inspect.reading import plane
from nightshift.ledger.queries.inspect import Candidate
from nightshift.vocabulary import Reason
from reduction.image.cutouts import read_cutouts
from reduction.image.frame import BROKEN, Frame, read_frame

__all__ = ["draw_difference"]

KINDS = {"science": "science", "template": "reference", "difference": "difference", "score": "score"}
ALONG = 12  # candidates a picture
AT_MOST = 4 * ALONG
MARK = "#0b8f3c"  # of the candidate's place in its stamps
COLOURS = {True: "#d64545", False: "#2186eb"}  # by whether the candidate is positive


def draw_difference(files: Mapping[str, Path], candidates: Sequence[Candidate]) -> list[Picture]:
    """Draw the reference, the difference, its score and its candidates, as far as there are files of them."""
    pictures = []
    if "reference" in files:
        pictures.append(_reference(read_frame(files["reference"])))
    if "difference" in files:
        path = files["difference"]
        image, score = plane(path, "SCI"), plane(path, "SCORE")
        if image is None:
            raise BadInput(Reason.UNREADABLE_FILE, f"{path} does not read: it has no image SCI")
        pictures.append(_difference(image, candidates))
        if score is not None:
            pictures.append(_score(score, image.shape))
    if "cutouts" in files:
        pictures += _stamps(files["cutouts"], candidates)
    return pictures


def _reference(frame: Frame) -> Picture:
    frames = frame.header.get("NFRAMES")
    said = f"The combination of {frames} frames" if frames else "The reference image"
    image = np.where(np.isfinite(frame.image), frame.image, np.float32(0))
    return Picture("Reference", f"{said}, on its own grid, averaged in blocks.", above_sky(image))


def _difference(image: np.ndarray, candidates: Sequence[Candidate]) -> Picture:
    figure, axes = axes_of(image.shape)
    shown = binned(image)
    spread = 1.4826 * float(np.median(np.abs(shown))) + 1e-6
    picture = axes.imshow(
        shown, origin="lower", cmap="gray", vmin=-5 * spread, vmax=5 * spread, extent=extent(image.shape),
        interpolation="nearest",
    )  # fmt: skip
    for positive, colour in COLOURS.items():
        some = [candidate for candidate in candidates if candidate.positive is positive]
        label = f"{len(some)} {'brighter' if positive else 'fainter'}"
        x, y = [candidate.x for candidate in some], [candidate.y for candidate in some]
        axes.scatter(x, y, s=60, facecolors="none", edgecolors=colour, linewidths=0.8, label=label)
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="electrons")
    return Picture(
        "Difference", "Science less reference, averaged in blocks; circles are its candidates.", png(figure)
    )


def _score(score: np.ndarray, shape: tuple[int, int]) -> Picture:
    figure, axes = axes_of(shape)
    picture = axes.imshow(
        score, origin="lower", cmap="RdBu_r", vmin=-8, vmax=8, extent=extent(shape), interpolation="nearest"
    )
    figure.colorbar(picture, ax=axes, shrink=0.8, label="sigma")
    said = (
        f"The extreme signal to noise of a point source in each block of pixels; {np.abs(score).max():.1f} at most."
    )
    return Picture("Score", said, png(figure))


def _stamps(path: Path, candidates: Sequence[Candidate]) -> list[Picture]:
    """Draw the candidates that look most real, and where there are too many for all, those that look least so."""
    ordered = sorted(candidates, key=lambda candidate: -(candidate.record.get("rb") or 0.0))
    if len(ordered) > AT_MOST:
        ordered = ordered[: AT_MOST // 2] + ordered[-AT_MOST // 2 :]
    rows = [ordered[start : start + ALONG] for start in range(0, len(ordered), ALONG)]
    return [_row_of_stamps(path, row, f"{len(ordered)} of {len(candidates)}") for row in rows]


def _row_of_stamps(path: Path, row: Sequence[Candidate], shown: str) -> Picture:
    figure = Figure(figsize=(12.0, 4.9), layout="constrained")
    grid = figure.subplots(len(KINDS), ALONG, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
    for axes, name in zip(grid[:, 0], KINDS.values(), strict=True):
        axes.set_ylabel(name, fontsize=9)
    for column, candidate in enumerate(row):
        stamps = _read(path, candidate.number)
        for axes, kind in zip(grid[:, column], KINDS, strict=True):
            if kind in stamps:
                _stamp(axes, stamps[kind], is_score=kind == "score")
        rb = candidate.record.get("rb")
        sign = "" if candidate.positive else "\N{MINUS SIGN}"
        title = f"{candidate.number}: {sign}{abs(candidate.signal_to_noise):.1f}σ\n"
        title += f"({candidate.x:.0f}, {candidate.y:.0f})\nrb {'none' if rb is None else format(rb, '.2f')}"
        grid[0, column].set_title(title, fontsize=7.5)
    said = f"{shown} candidates are shown, by falling rb. Titles: number, signal to noise, place, rb. "
    said += "Stamps of negative ones are turned over."
    return Picture("Candidates", said, png(figure), wide=True)


def _read(path: Path, number: int) -> dict[str, np.ndarray]:
    try:
        return read_cutouts(path, number)
    except (*BROKEN, tarfile.TarError, EOFError, zlib.error):
        return {}  # a page is for looking at what is there


def _stamp(axes: Axes, image: np.ndarray, *, is_score: bool) -> None:
    good = image[np.isfinite(image)]
    if not good.size:
        return
    low, high = (-8.0, 8.0) if is_score else map(float, np.percentile(good, (1, 99.7)))
    axes.imshow(
        image, origin="lower", cmap="RdBu_r" if is_score else "gray", vmin=low, vmax=max(high, low + 1e-6),
        interpolation="nearest",
    )  # fmt: skip
    middle = (np.array(image.shape) - 1) / 2
    axes.plot(middle[1] + np.array([4, 9]), [middle[0]] * 2, color=MARK, lw=0.8)
    axes.plot([middle[1]] * 2, middle[0] + np.array([4, 9]), color=MARK, lw=0.8)
