"""What to do with the frames: which masters there can be, and bounds that this camera's own frames keep."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import date

from nightshift.kinds import kinds
from nightshift.new_camera.detector_pixels import AmplifierPixels
from nightshift.new_camera.guesses import Certainty, DraftTable, Guess, asked
from nightshift.new_camera.star_frames import StarFrame

__all__ = ["Calibration", "job_tables", "policy_tables"]

WANTED = 5  # frames of a master, where there are as many
REFERENCE = 6
NOMINAL_MB, MB_OF_MEGAPIXEL = 1500, 500  # memory of a job: the libraries, and an image with all that is made of it
OTHER_MEMORY_MB, OTHER_TIME_S = {"ingest": 1000}, {"ingest": 120}  # of kinds that hold no image in memory

Calibration = tuple[str, str, date]  # kind, filter and night of a calibration frame


def policy_tables(
    sets: Sequence[Calibration], science_frames: int, amplifiers: Sequence[AmplifierPixels],
    stars: Sequence[StarFrame], scale_arcsec: float | None, publisher: str,
) -> tuple[DraftTable, ...]:  # fmt: skip
    """Return the tables of ``policy.toml``."""
    return (
        DraftTable("[calibration]", tuple(_calibration(sets, amplifiers))),
        DraftTable("[reference]", (_reference(science_frames),)),
        DraftTable("[alerts]", (_publisher(publisher),)),
        *_thresholds(stars, scale_arcsec),
    )


def _calibration(sets: Sequence[Calibration], amplifiers: Sequence[AmplifierPixels]) -> list[Guess]:
    counts = Counter(sets)
    usable = {key: count for key, count in counts.items() if count > 1}
    kinds = [kind for kind in ("bias", "dark", "flat") if any(key[0] == kind for key in usable)]
    told = "; ".join(
        f"{n} {kind}{f' in {name}' if name else ''} on {night}" for (kind, name, night), n in sorted(counts.items())
    )
    guesses = [Guess("kinds", kinds, Certainty.SURE, f"Frames at hand: {told or 'none'}.")]
    if usable:
        least = min(WANTED, *usable.values())
        says = f"The smallest set has {min(usable.values())}; {WANTED} and more make a better master."
        guesses.append(Guess("at_least_frames", least, Certainty.LIKELY, says))
    levels = [amplifier.flat_level for amplifier in amplifiers if amplifier.flat_level]
    if levels:
        low, high = min(level[0] for level in levels), max(level[1] for level in levels)
        bounds = [float(round(low / 4, -2)), float(round(min(2 * high, 0.9 * _full(amplifiers)), -2))]
        says = f"These flats have {low:.0f} to {high:.0f} ADU; others outside of the bounds are rejected."
        guesses.append(Guess("flat_level_adu", bounds, Certainty.LIKELY, says))
    if not all(amplifier.pedestal_known for amplifier in amplifiers):
        says = (
            "Neither bias nor overscan says what a flat's light is: its own measure of the gain cannot be believed."
        )
        guesses.append(Guess("gain_apart", 1.0, Certainty.LIKELY, says))
    return guesses


def _full(amplifiers: Sequence[AmplifierPixels]) -> float:
    return min(amplifier.layout.saturation for amplifier in amplifiers)


def _reference(science_frames: int) -> Guess:
    least = max(1, min(REFERENCE, science_frames // 2))
    says = f"The field with most frames has {science_frames} in one night and filter."
    return Guess("at_least_frames", least, Certainty.LIKELY, says)


def _publisher(publisher: str) -> Guess:
    return asked("publisher", "Who sends the alerts; every packet says so.", instead=publisher)


def _thresholds(stars: Sequence[StarFrame], scale_arcsec: float | None) -> list[DraftTable]:
    """Return bounds by what the frames have, wide enough that an ordinary night stays inside."""
    tables = []
    widths = [frame.fwhm_px for frame in stars if math.isfinite(frame.fwhm_px)]
    if widths:
        middle = statistics.median(widths)
        says = (
            f"{len(widths)} frames have {min(widths):.2f} to {max(widths):.2f} px{_in_arcsec(widths, scale_arcsec)}."
        )
        warn = [round(0.6 * min(widths), 1), round(max(1.7 * middle, 1.2 * max(widths)), 1)]
        fail = [round(0.4 * min(widths), 1), round(max(3.0 * middle, 2.0 * max(widths)), 1)]
        tables.append(_threshold("fwhm_px", warn, fail, says))
    numbers = [len(frame.x) for frame in stars]
    if numbers and min(numbers) > 3:
        few = min(numbers)
        says = f"These frames show {few} to {max(numbers)} stars."
        tables.append(_threshold("stars_matched", [max(4, few // 4), 100000], [max(3, few // 10), 1000000], says))
    tables.append(
        _threshold("saturated_fraction", [0.0, 0.01], [0.0, 0.05], "BANZAI's 5%, the same for all cameras.")
    )
    return tables


def _in_arcsec(widths: Sequence[float], scale_arcsec: float | None) -> str:
    if scale_arcsec is None:
        return ""
    return f", which is {min(widths) * scale_arcsec:.1f} to {max(widths) * scale_arcsec:.1f} arcsec"


def _threshold(name: str, warn: list[float], fail: list[float], says: str) -> DraftTable:
    values = (
        Guess("name", name, Certainty.LIKELY, says),
        Guess("warn", warn, Certainty.LIKELY, ""),
        Guess("fail", fail, Certainty.LIKELY, ""),
    )
    return DraftTable("[[thresholds]]", values)


def job_tables(megapixels: float) -> tuple[DraftTable, ...]:
    """Return the tables of ``jobs.toml`` for a file of so many million pixels."""
    memory = NOMINAL_MB + MB_OF_MEGAPIXEL * math.ceil(megapixels)
    says = f"For {megapixels:.1f} million pixels a file; the morning's report says what jobs took."
    return tuple(
        DraftTable(
            f"[profiles.{kind.name}]",
            (
                Guess("memory_mb", OTHER_MEMORY_MB.get(kind.name, memory), Certainty.LIKELY, says),
                Guess("time_s", OTHER_TIME_S.get(kind.name, 300), Certainty.LIKELY, ""),
            ),
        )
        for kind in kinds()
    )
