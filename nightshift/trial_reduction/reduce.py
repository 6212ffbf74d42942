"""Make a master of each kind and reduce one science frame a filter, by the code that works at night."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightshift.catalogue.folder import catalogue_folder
from nightshift.files import sha256_of
from nightshift.jobs.contract import Input, JobFile, UnitResult, UnitWork, new_token
from nightshift.jobs.run import run_unit
from nightshift.settings import Survey, bad_pixels_file
from nightshift.trial_reduction.frames import TrialFrame, filters_of_science, largest_sets, science_frames
from nightshift.trial_reduction.remarks import Remark, error, good, warning
from nightshift.vocabulary import AttemptState, CalibrationKind, Reason, all_measurements

__all__ = ["TrialQuadrant", "reduce_frames"]

FRAMES_AT_MOST = 15  # of a master: more say nothing new of the settings
SHOWN = ("fwhm_px", "stars_matched", "background", "elongation", "read_noise_ratio", "limiting_magnitude")
KEY_OF = {
    Reason.LEVEL_OUT_OF_RANGE: "calibration.flat_level_adu (flats), calibration.dark_current (darks)",
    Reason.SATURATED: "calibration.saturated_fraction, or the saturation in camera.toml",
    Reason.OFF_THE_RAMP: "calibration.flat_ramp_tolerance",
    Reason.UNLIKE_ITS_FELLOWS: "calibration.unlike_fraction",
    Reason.FILTER_MISMATCH: "the filters' header_values in fields.toml",
}
MEASURED = (
    (Reason.GAIN_DISAGREES, "gain", "electrons per ADU", "gain"),
    (Reason.READ_NOISE_DISAGREES, "read_noise", "ADU of read noise", "read_noise"),
)


@dataclass(frozen=True)
class TrialQuadrant:
    """One amplifier whose frames are reduced on trial.

    Parameters
    ----------
    survey : Survey
    detector, quadrant : int
    folder : Path
        For what is made; the caller removes it.
    """

    survey: Survey
    detector: int
    quadrant: int
    folder: Path

    def run(self, kind: str, name: str, inputs: Sequence[Input], parameters: Mapping[str, Any]) -> UnitResult:
        """Run one unit of a kind of work as a node does; whatever goes wrong is in the result."""
        told = {"detector": self.detector, "quadrant": self.quadrant, **parameters}
        folder = self.folder / re.sub(r"\W", "_", name)
        unit = UnitWork(f"trial/{name}", 1, new_token(), str(folder), tuple(inputs), told)
        job = JobFile(kind, f"trial/{name}", 1, self.survey.name, "", {}, ((0,),), (unit,))
        return run_unit(job, unit, self.survey)

    def made(self, name: str, role: str, result: UnitResult) -> Input:
        """Return the first product of a result as the input of what comes next."""
        product = result.products[0]
        path = self.folder / re.sub(r"\W", "_", name) / product.name
        return Input(role, str(path), product.sha256, f"trial/{name}")


def reduce_frames(place: TrialQuadrant, frames: Sequence[TrialFrame]) -> Iterator[Remark]:
    """Yield what became of the masters and of one science frame a filter.

    Parameters
    ----------
    place : TrialQuadrant
    frames : sequence of TrialFrame
    """
    masters: dict[tuple[CalibrationKind, str], Input] = {}
    needed = filters_of_science(frames) | {""}
    for kind in (kind for kind in CalibrationKind if kind in place.survey.calibration.kinds):
        for filter_name, found in largest_sets(frames, kind, place.detector).items():
            if filter_name not in needed and len(needed) > 1:
                continue  # no frame of these would use it
            name = f"master {kind.value} {filter_name}".strip()
            result = _master(place, name, kind, filter_name, found[:FRAMES_AT_MOST], masters)
            if result.state is AttemptState.SUCCEEDED:
                masters[kind, filter_name] = place.made(name, kind.value, result)
            yield from _said_of_master(place.survey, name, result, len(found[:FRAMES_AT_MOST]))
    own = [item for item in science_frames(frames) if item.frame.key.detector == place.detector]
    for filter_name in dict.fromkeys(item.frame.filter for item in own):
        of_filter = [item for item in own if item.frame.filter == filter_name]
        yield from _science(place, of_filter[len(of_filter) // 2], masters)


def _raw(item: TrialFrame) -> Input:
    return Input("raw", str(item.path.resolve()), sha256_of(item.path), str(item.frame.key))


def _chosen(masters: Mapping[tuple[CalibrationKind, str], Input], filter_name: str) -> list[Input]:
    wanted = {(CalibrationKind.BIAS, ""), (CalibrationKind.DARK, ""), (CalibrationKind.FLAT, filter_name)}
    return [master for key, master in masters.items() if key in wanted]


def _master(
    place: TrialQuadrant,
    name: str,
    kind: CalibrationKind,
    filter_name: str,
    found: Sequence[TrialFrame],
    masters: Mapping[tuple[CalibrationKind, str], Input],
) -> UnitResult:
    told = [
        {
            "key": str(item.frame.key),
            "exposure_id": item.frame.key.exposure_id,
            "filter": item.frame.filter,
            "exposure_s": item.frame.header.exposure_s,
            "shutter_open": item.frame.header.shutter_open.isoformat(),
        }
        for item in found
    ]
    inputs = [*map(_raw, found), *_chosen(masters, "")]
    return place.run(
        "master", name, inputs, {"calibration_kind": kind.value, "filter": filter_name, "frames": told, "flags": []}
    )


def _said_of_master(survey: Survey, name: str, result: UnitResult, of: int) -> Iterator[Remark]:
    rows = result.rows.get("frames", [])
    reasons = Counter(Reason(row["reason"]) for row in rows if row["reason"])
    levels = [row["level"] for row in rows if row["level"] is not None]
    left = f"; left out: {', '.join(f'{count} {why}' for why, count in sorted(reasons.items()))}" if reasons else ""
    span = f"; levels {min(levels):.0f} to {max(levels):.0f} ADU" if levels else ""
    if result.state is AttemptState.SUCCEEDED:
        yield good(f"{name}: {result.metrics['frames']} of {of} frames are good{left}{span}")
    else:
        key = next((KEY_OF[why] for why, _ in reasons.most_common() if why in KEY_OF), "calibration")
        yield error(survey, f"no {name}: {result.reason}, {result.detail}{left}{span}", "policy.toml", key)
    for flag, metric, unit, key in MEASURED:
        if flag in result.flags:
            text = f"{name}: its frames show {result.metrics[metric]:.2f} {unit}; that would serve at night"
            yield warning(survey, text, "camera.toml", f"[[camera.quadrants]], {key}")


def _science(
    place: TrialQuadrant, item: TrialFrame, masters: Mapping[tuple[CalibrationKind, str], Input]
) -> Iterator[Remark]:
    frame, header = item.frame, item.frame.header
    catalogue = _catalogue(place.survey, frame.field)
    mask = bad_pixels_file(place.survey, place.detector, place.quadrant)
    inputs = [
        _raw(item),
        *_chosen(masters, frame.filter),
        *([] if mask is None else [Input("bad_pixels", str(mask), sha256_of(mask), mask.name)]),
        *catalogue,
    ]
    result = place.run(
        "science", f"science {frame.key.exposure_id}", inputs,
        {
            "instrument": frame.key.instrument, "exposure_id": frame.key.exposure_id, "filter": frame.filter,
            "field": frame.field, "exposure_s": header.exposure_s, "shutter_open": header.shutter_open.isoformat(),
            "ra_deg": header.ra_deg, "dec_deg": header.dec_deg, "airmass": header.airmass, "flags": [],
            "own_catalogue": not catalogue, "reference_key": None, "in_reference": False, "overruled": False,
        },
    )  # fmt: skip
    yield _said_of_science(place.survey, item, result)


def _catalogue(survey: Survey, number: int | None) -> list[Input]:
    name = survey.catalogue_of(number) if number is not None else None
    if name is None:
        return []
    file = catalogue_folder(survey) / name
    return (
        [Input("catalogue", str(file.resolve()), sha256_of(file), f"catalogue/{file.name}")] if file.is_file() else []
    )


def _said_of_science(survey: Survey, item: TrialFrame, result: UnitResult) -> Remark:
    metrics = {measurement.name: measurement for measurement in all_measurements()}
    values = [
        f"{metrics[name].titled} {result.metrics[name]:.4g}"
        for name in SHOWN
        if name in metrics and isinstance(result.metrics.get(name), int | float)
    ]
    seeing = result.metrics.get("fwhm_px")
    if isinstance(seeing, int | float):
        values.append(f'FWHM {seeing * survey.camera.pixel_scale_arcsec:.2f}"')
    measured = ", ".join(values) or "nothing could be measured"
    what = f"science frame {item.path.name}, detector {item.frame.key.detector}"
    if result.state is AttemptState.SUCCEEDED:
        flags = f"; flags: {', '.join(result.flags)}" if result.flags else ""
        return good(f"{what} is calibrated: {measured}{flags}")
    return error(
        survey,
        f"{what} would be {result.state}: {result.reason}, {result.detail.strip().splitlines()[-1]}; {measured}",
        "policy.toml", "[[thresholds]], and the settings named above",
    )  # fmt: skip
