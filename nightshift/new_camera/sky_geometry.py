"""Pixel scale, mirror image and rotation: from headers' WCS, from optics, or from frames that were pointed apart."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from nightshift.new_camera.guesses import Certainty, Guess, asked
from nightshift.new_camera.raw_files import RawFile
from nightshift.new_camera.star_frames import StarFrame
from reduction.measure.dithers import Orientation, Step, orientation, step_between

__all__ = ["Geometry", "find_geometry"]

ARCSEC_OF_RADIAN = 206264.806
SCALES = ("PIXSCAL", "PIXSCALE", "SECPIX", "SECPIX1", "PLTSCALE", "SCALE")
BINNING = ("XBINNING", "HBIN", "CCDXBIN", "BINX")
AGREES = 0.05  # two scales
LEAST_STEP_ARCSEC = 15.0  # of the pointing; less is known too badly
FARTHEST = 0.8  # of the image's width that the telescope may have moved, so that frames have stars in common
EXPLAINED_PX = 3.0  # rms that may be left of the steps between frames
UPRIGHT_DEG = 1.3  # what the match to a catalogue finds by itself


@dataclass(frozen=True)
class Geometry:
    """What is known of scale and orientation.

    Parameters
    ----------
    scale_arcsec : float or None
    guesses : tuple of Guess
        For ``[camera]``.
    """

    scale_arcsec: float | None
    guesses: tuple[Guess, ...]


def find_geometry(science: Sequence[RawFile], frames: Sequence[StarFrame]) -> Geometry:
    """Find how the camera sees the sky.

    Parameters
    ----------
    science : sequence of RawFile
    frames : sequence of StarFrame
        Some of them, with their stars.
    """
    solved = [frame for frame in frames if frame.wcs is not None]
    optics = _by_optics(science)
    if solved:
        return _of_headers(solved, len(frames), optics)
    moved = _of_dithers(frames, optics)
    scale = _scale_guess(optics, moved)
    first = Guess("wcs", "pointing", Certainty.SURE, "No header holds a WCS that can be understood.")
    return Geometry(
        None if scale.certainty is Certainty.ASKED else float(scale.value), (scale, first, *_turned(moved))
    )


def _of_headers(solved: Sequence[StarFrame], number: int, optics: tuple[float, str] | None) -> Geometry:
    scales = [float(np.mean(proj_plane_pixel_scales(f.wcs.celestial))) * 3600 for f in solved if f.wcs is not None]
    scale = statistics.median(scales)
    beside = ""
    if optics is not None:
        beside = f" {optics[1][0].upper()}{optics[1][1:]} gives {optics[0]:.3f}."
    parity, turn = zip(*(_parity_and_turn(f.wcs) for f in solved if f.wcs is not None), strict=True)
    rotation = statistics.median(turn)
    seen = f"The WCS of {len(solved)} of {number} science frames that were looked at"
    says = f"{seen}: {min(scales):.4f} to {max(scales):.4f}."
    agrees = optics is None or abs(optics[0] / scale - 1) < AGREES
    certainty = Certainty.SURE if agrees else Certainty.UNSURE
    some = "" if len(solved) == number else " Frames without one are placed by their pointing, parity and rotation."
    guesses = (
        Guess("pixel_scale_arcsec", round(scale, 4), certainty, says + beside),
        Guess("wcs", "header", Certainty.SURE, f"{len(solved)} of {number} frames have a WCS.{some}"),
        Guess("parity", statistics.mode(parity), Certainty.SURE, "The sign of the WCS's determinant."),
        Guess("rotation_deg", round(rotation, 2), Certainty.SURE, f"By the WCS: {min(turn):.2f} to {max(turn):.2f}."),
    )
    return Geometry(scale, guesses)


def _parity_and_turn(wcs: WCS) -> tuple[int, float]:
    """Return the parity, and the position angle of the y axis in degrees, 0 to 360."""
    matrix = wcs.celestial.pixel_scale_matrix
    turn = math.degrees(math.atan2(matrix[0, 1], matrix[1, 1])) % 360
    return (1 if np.linalg.det(matrix) > 0 else -1), turn


def _by_optics(files: Sequence[RawFile]) -> tuple[float, str] | None:
    """Return the pixel scale in arcseconds that headers give without a WCS, and by what."""
    for file in files[:1]:
        for keyword in SCALES:
            if scale := _number(file, keyword):
                binned = _binning(file)
                return scale * binned, f"{keyword} = {scale:g}{f' by a binning of {binned:g}' if binned != 1 else ''}"
        pixel, focus = _number(file, "XPIXSZ"), _number(file, "FOCALLEN")
        if pixel and focus:
            return (
                pixel / 1000 / focus * ARCSEC_OF_RADIAN,
                f"a pixel of {pixel:g} um at a focal length of {focus:g} mm",
            )
    return None


def _binning(file: RawFile) -> float:
    binned = next((n for keyword in BINNING if (n := _number(file, keyword))), None)
    if binned is None and file.value("CCDSUM"):
        first = file.value("CCDSUM").split()[0]
        binned = float(first) if first.isdecimal() else None
    return binned or 1.0


def _number(file: RawFile, keyword: str) -> float | None:
    try:
        number = float(file.value(keyword))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _scale_guess(optics: tuple[float, str] | None, moved: Orientation | None) -> Guess:
    if optics is None and moved is None:
        return asked("pixel_scale_arcsec", "How many arcseconds a pixel covers on the sky, binning included.")
    if optics is None and moved is not None:
        says = f"Stars moved so between frames that were pointed apart, within {moved.apart_arcsec:.1f} arcsec."
        return Guess("pixel_scale_arcsec", round(moved.scale_arcsec, 3), Certainty.LIKELY, says)
    assert optics is not None
    scale, by = optics
    if moved is None:
        says = f"{by[0].upper()}{by[1:]}; nothing confirms it."
        return Guess("pixel_scale_arcsec", round(scale, 3), Certainty.LIKELY, says)
    by = f"{by[0].upper()}{by[1:]} gives {scale:.3f}"
    measured = f"stars moved by {moved.scale_arcsec:.3f} a pixel between frames that were pointed apart"
    if abs(moved.scale_arcsec / scale - 1) < AGREES:
        return Guess("pixel_scale_arcsec", round(scale, 3), Certainty.SURE, f"{by}; {measured}.")
    says = f"{measured[0].upper()}{measured[1:]}, and {by[0].lower()}{by[1:]}: find out which is true."
    return Guess("pixel_scale_arcsec", round(moved.scale_arcsec, 3), Certainty.UNSURE, says)


def _of_dithers(frames: Sequence[StarFrame], optics: tuple[float, str] | None) -> Orientation | None:
    """Return the orientation by the steps between frames, where some were pointed apart and have stars in common."""
    steps = []
    for first, second in pairwise(frames):  # tracking drifts: only frames that follow each other are compared
        moved = _moved_arcsec(first, second)
        width = min(first.shape) * (optics[0] if optics else 1.0)
        if moved is None or not LEAST_STEP_ARCSEC < math.hypot(*moved) < FARTHEST * width:
            continue
        pixels = step_between((first.x, first.y), (second.x, second.y), FARTHEST * min(first.shape))
        if pixels is not None:
            steps.append(Step(*moved, *pixels))
    found = orientation(steps)
    return found if found is not None and found.apart_arcsec < EXPLAINED_PX * found.scale_arcsec else None


def _moved_arcsec(first: StarFrame, second: StarFrame) -> tuple[float, float] | None:
    """Return by how much the pointing moved, east and north, in arcseconds."""
    if first.ra_deg is None or first.dec_deg is None or second.ra_deg is None or second.dec_deg is None:
        return None
    east = ((second.ra_deg - first.ra_deg + 180) % 360 - 180) * math.cos(math.radians(first.dec_deg))
    return east * 3600, (second.dec_deg - first.dec_deg) * 3600


def _turned(moved: Orientation | None) -> tuple[Guess, Guess]:
    where = "compare a frame with a chart of its field"
    if moved is None:
        return (
            asked("parity", f"-1 where east is left when north is up, 1 where it is right: {where}.", instead=-1),
            asked(
                "rotation_deg",
                f"Position angle of the image's y axis, within {UPRIGHT_DEG} degrees: {where}.",
                instead=0.0,
            ),
        )
    turn = round(moved.rotation_deg, 1)
    says = f"By steps between frames that were pointed apart; they leave {moved.apart_arcsec:.1f} arcsec."
    if moved.parity is None:
        return (
            asked(
                "parity",
                f"All steps go one way, which tells no mirror image. -1: east is left when north is up; {where}.",
                instead=-1,
            ),
            Guess("rotation_deg", turn, Certainty.UNSURE, f"{says} It holds for the parity above."),
        )
    return Guess("parity", moved.parity, Certainty.LIKELY, says), Guess("rotation_deg", turn, Certainty.LIKELY, says)
