"""Compile and import everything that jobs use, so that a pool's workers start warm."""

import numpy as np

from nightshift.kinds import kinds

__all__ = ["warm_up"]


def warm_up() -> None:
    """Load the work of every kind and run its kernels once on a small field.

    Compiled kernels are cached on disk by numba; the first run of a new installation takes a minute, later ones
    load them. A kind may have a `warm_up` of its own.
    """
    _reduce_small_field()
    for kind in kinds():
        kind.warm_up()


def _reduce_small_field() -> None:
    """Take a small field of stars through calibration, measuring and a master."""
    from dataclasses import replace

    from reduction.detector.calibrations import Aggressor, Calibrations, DetectorSettings
    from reduction.detector.layout import Layout
    from reduction.detector.linearity import Linearity
    from reduction.detector.masters import MasterSettings, build_master, judge_frames
    from reduction.detector.photon_transfer import measure_gain
    from reduction.image.frame import Frame
    from reduction.measure.pairing import nearest_within
    from reduction.recipes import MEASURE, Measured, MeasureSettings, calibrate, solve_astrometry, source_table

    random = np.random.default_rng(1)
    shape = (128, 128)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = random.normal(500, 15, shape)
    for row, column in random.uniform(15, 113, (20, 2)):
        image += 4000 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 3)
    raw = Frame(image.astype(np.float32), np.zeros(shape, dtype=np.uint16))
    straight = Linearity(60000.0, np.zeros(2, np.float32))
    settings = DetectorSettings(Layout(0, shape, 1.0, 5.0, 60000.0, linearity=straight), 1.0)
    nothing, unity = (np.full(shape, value, np.float32) for value in (0, 1))
    zero, one = Frame(nothing, raw.mask, nothing), Frame(unity, raw.mask, nothing)
    calibrations = Calibrations(zero, zero, one, aggressors=(Aggressor(nothing, 0.0),))
    measured = Measured(calibrate(raw, calibrations, settings))
    for step in MEASURE[: MEASURE.index(solve_astrometry)]:  # it would need a catalogue
        measured = step(measured, MeasureSettings())
    x, y = np.eye(2)
    nearest_within(x, y, x, y, 1.0)  # astrometry's only kernel
    source_table(measured)
    flats = [replace(raw, image=raw.image * np.float32(level)) for level in (1.0, 1.1, 1.2)]
    judging = MasterSettings("flat", (1.0, 1e5), 0.5, 0.5, 6.0, 1.0, 5.0)
    judge_frames(flats, judging)
    build_master(flats, [1.0] * 3, judging)
    measure_gain(flats, 5.0)
