"""A simulated pair, measured as the science and the reference job measure theirs."""

from dataclasses import dataclass, replace

import numpy as np
import sep
from astropy.table import Table

from nightshift.kinds.difference.differencing import match_stars
from reduction.difference.candidates import (
    Candidate,
    CandidateSettings,
    Photometry,
    ReferenceSources,
    find_candidates,
)
from reduction.difference.difference import Difference, DifferenceSettings, make_difference
from reduction.difference.score import MatchedStars
from reduction.image.frame import Frame
from reduction.image.mask import FATAL
from reduction.measure.psf import PsfModel
from reduction.measure.sources import Background
from reduction.measure.zero_point import ZeroPoint, level
from reduction.recipes import Measured, MeasureSettings, detect_sources, fit_photometry, model_psf, source_table
from rehearsal.simulator.survey_pair import SurveyPair

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A pair with what the science and the reference job find in it."""

    pair: SurveyPair
    psf: PsfModel
    reference_psf: PsfModel
    sources: Table
    reference_sources: Table
    stars: MatchedStars

    def difference(self, settings: DifferenceSettings | None = None, **more: np.ndarray | None) -> Difference:
        """Return the pair's difference."""
        pair = self.pair
        return make_difference(
            pair.science, self.psf, pair.reference, self.reference_psf.fwhm(), self.stars, settings, **more
        )

    def candidates(self, difference: Difference, settings: CandidateSettings | None = None) -> list[Candidate]:
        """Return all candidates of a difference."""
        header, sources = self.pair.science.header, self.reference_sources
        photometry = Photometry(ZeroPoint.from_header(header), header["EXPTIME"])
        assert self.pair.science.wcs is not None
        x, y = self.pair.science.wcs.all_world2pix(sources["ra"], sources["dec"], 0)
        columns = (np.asarray(sources[name]) for name in ("ra", "dec", "mag", "mag_err", "psf_chi2"))
        known = ReferenceSources(x, y, *columns)
        return find_candidates(difference, photometry, known, settings, at_most=100_000)[0]


def prepare(pair: SurveyPair) -> Prepared:
    """Take both images to one zero point each, and find, model and match their sources."""
    pair = replace(pair, science=level(pair.science), reference=level(pair.reference))
    psf, sources = _measured(pair.science)
    reference_psf, reference_sources = _measured(pair.reference)
    stars = match_stars(pair.science, sources, reference_sources)
    return Prepared(pair, psf, reference_psf, sources, reference_sources, stars)


def _measured(frame: Frame) -> tuple[PsfModel, Table]:
    bad = (frame.mask & np.uint16(FATAL)) != 0
    mesh = sep.Background(frame.image, mask=bad, bw=64, bh=64)
    sky = Background(np.zeros(frame.shape, np.float32), mesh.rms(dtype=np.float32) ** 2, 0.0, float(mesh.globalrms))
    measured, settings = Measured(frame, background=sky), MeasureSettings()
    for step in (detect_sources, model_psf, fit_photometry):
        measured = step(measured, settings)
    assert measured.psf is not None
    return measured.psf, source_table(replace(measured, zero_point=ZeroPoint.from_header(frame.header)))
