"""Which exposures and files a night's faults hit: drawn from the seed, spread so that the night stays useful."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nightshift.errors import NeedsOperator
from nightshift.settings import Survey
from nightshift.vocabulary import Reason
from rehearsal.simulator.faults import Fault, FaultRequest, Hits
from rehearsal.simulator.night_plan import Exposure, file_name
from rehearsal.simulator.seeds import generator

__all__ = ["Hit", "choose_hits", "disturbed"]


@dataclass(frozen=True)
class Hit:
    """One fault done to one exposure.

    Parameters
    ----------
    fault : Fault
    number : int
        Of the exposure.
    detectors : tuple of int
        All of them, or the one whose pixels or file are hit.
    """

    fault: Fault
    number: int
    detectors: tuple[int, ...]


def choose_hits(
    requests: Sequence[FaultRequest], exposures: Sequence[Exposure], survey: Survey, *, seed: int
) -> tuple[Hit, ...]:
    """Choose what each fault is done to.

    No file is hit twice and, while there are enough, no exposure. Faults that cost a frame are spread over fields,
    filters and detectors, so that references can still be built where the night is long enough.

    Raises
    ------
    NeedsOperator
        If the night has too few frames for a fault, or no file's name holds its selector.
    """
    draft = _Draft(survey, exposures)
    hits: list[Hit] = []
    # what needs a whole exposure chooses first
    for request in sorted(requests, key=lambda r: r.fault.hits is not Hits.EXPOSURE):
        random = generator(seed, "fault", request.fault.name, request.selector)
        hits.append(draft.choose(request, random))
    return tuple(hits)


class _Draft:
    """What is hit so far."""

    def __init__(self, survey: Survey, exposures: Sequence[Exposure]):
        self.survey, self.exposures = survey, exposures
        self.detectors = survey.camera.detector_ids
        self.taken: set[tuple[int, int]] = set()  # exposure's number, detector
        self.lost: Counter[tuple[int, str, int]] = Counter()  # field, filter, detector

    def choose(self, request: FaultRequest, random: np.random.Generator) -> Hit:
        fault = request.fault
        choices = [
            (exposure, group)
            for exposure in self.exposures
            if exposure.image_type is fault.image_type
            for group in self._groups(fault)
            if self._free(fault, exposure, group) and self._named(request.selector, exposure, group)
        ]
        if not choices:
            raise NeedsOperator(Reason.INTERNAL_ERROR, _none_left(request))
        if fault.last:
            exposure, group = choices[-1]
        else:
            least = min(self._cost(*choice) for choice in choices)
            best = [choice for choice in choices if self._cost(*choice) == least]
            exposure, group = best[int(random.integers(len(best)))]
        if fault.hits is not Hits.NIGHT:
            self.taken |= {(exposure.number, detector) for detector in group}
        if fault.loses:
            self.lost.update((exposure.field, exposure.filter, detector) for detector in group)
        return Hit(fault, exposure.number, group)

    def _groups(self, fault: Fault) -> list[tuple[int, ...]]:
        return [self.detectors] if fault.hits is Hits.EXPOSURE else [(d,) for d in self.detectors]

    def _free(self, fault: Fault, exposure: Exposure, group: tuple[int, ...]) -> bool:
        return fault.hits is Hits.NIGHT or not any((exposure.number, d) in self.taken for d in group)

    def _named(self, selector: str, exposure: Exposure, group: tuple[int, ...]) -> bool:
        night = self.exposures[0].shutter_open.date()  # names that hold a night hold it in every name alike
        return not selector or any(selector in file_name(self.survey.camera, exposure, d, night) for d in group)

    def _cost(self, exposure: Exposure, group: tuple[int, ...]) -> tuple[int, int]:
        """Return what is to be small: hits of the exposure, then losses of its field, filter and detectors."""
        hit = sum((exposure.number, d) in self.taken for d in self.detectors)
        return hit, max(self.lost[exposure.field, exposure.filter, d] for d in group)


def _none_left(request: FaultRequest) -> str:
    wanted = f" whose name holds {request.selector!r}" if request.selector else ""
    return (
        f"fault {request.fault.name}: no {request.fault.image_type} frame{wanted} is left that no other fault hits. "
        "Ask for fewer faults or a longer night."
    )


def disturbed(exposures: Sequence[Exposure], hits: Sequence[Hit], survey: Survey) -> tuple[Exposure, ...]:
    """Return the night's exposures as light and electronics were, with the numbers and ids that they had."""
    changed = {exposure.number: exposure for exposure in exposures}
    for hit in hits:
        if hit.fault.disturb is not None:
            before = changed[hit.number]
            after = hit.fault.disturb(before, hit.detectors[0], survey)
            changed[hit.number] = replace(after, number=before.number, exposure_id=before.exposure_id)
    return tuple(changed[exposure.number] for exposure in exposures)
