"""What the benchmarks of differencing share: how detections are held to a pair's truth."""

import numpy as np

from rehearsal.simulator.survey_pair import SurveyPair

__all__ = ["BINS", "Tally"]

BINS = {"snr5_6": (5.0, 6.0), "snr6_8": (6.0, 8.0), "snr8_up": (8.0, np.inf)}
MATCH_PX, FALSE_PX = 2.0, 3.0
_BRIGHT = 1.0  # of the sky's light: a host of more is apart


class Tally:
    """What one way of differencing recovered and what it made up, over any number of pairs."""

    def __init__(self) -> None:
        self.pairs = 0
        self.false = 0
        self.seconds = 0.0
        self._found: dict[str, list[np.ndarray]] = {}
        self._ratio: list[np.ndarray] = []
        self._weight: list[np.ndarray] = []

    def add(self, pair: SurveyPair, x: np.ndarray, y: np.ndarray, flux: np.ndarray | None, seconds: float) -> None:
        """Take in the detections of one pair; negative ones have a negative flux."""
        self.pairs += 1
        self.seconds += seconds
        distance = np.hypot(pair.new_x[:, None] - x, pair.new_y[:, None] - y) if len(x) else np.full((1, 1), np.inf)
        nearest = distance.argmin(axis=1)
        found = np.broadcast_to(distance.min(axis=1) < MATCH_PX, len(pair.new_x))
        self.false += int((distance.min(axis=0) >= FALSE_PX).sum()) if len(x) else 0
        masked, bright = pair.bad_pixels > 0, pair.host_light > _BRIGHT
        clean = ~masked & ~bright
        for name, (least, most) in BINS.items():
            self._note(name, found[clean & (pair.new_signal >= least) & (pair.new_signal < most)])
        strong = pair.new_signal >= BINS["snr8_up"][0]
        self._note("masked", found[strong & masked])
        self._note("bright_host", found[strong & bright & ~masked])
        self._note("on_galaxy", found[strong & clean & pair.on_galaxy])
        if flux is not None:
            chosen = found & clean & strong
            self._ratio.append(flux[nearest[chosen]] / pair.new_flux[chosen])
            self._weight.append(pair.new_signal[chosen] ** 2)

    def _note(self, name: str, found: np.ndarray) -> None:
        self._found.setdefault(name, []).append(found)

    def figures(self, prefix: str = "") -> dict[str, float]:
        """Return the figures: shares recovered, false detections and CPU seconds a quadrant, bias of the flux."""
        figures: dict[str, float] = {}
        for name, parts in self._found.items():
            found = np.concatenate(parts)
            if len(found):
                figures[f"recovered_{name}"] = round(float(found.mean()), 4)
            figures[f"injected_{name}"] = len(found)
        figures["false_per_quadrant"] = round(self.false / max(self.pairs, 1), 2)
        if self._ratio:
            ratio, weight = np.concatenate(self._ratio), np.concatenate(self._weight)
            figures["flux_bias_percent"] = round(100 * (float(np.average(ratio, weights=weight)) - 1), 3)
        figures["cpu_s"] = round(self.seconds / max(self.pairs, 1), 2)
        return {f"{prefix}{name}": value for name, value in figures.items()}
