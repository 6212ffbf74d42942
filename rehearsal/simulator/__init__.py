"""A sky and a camera for any configured survey, from a seed, with the truth beside; and the player of nights.

What is named here is imported when it is first used: playing a night needs no compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.simulator.detection_score import NightScore, score_night
    from rehearsal.simulator.file_player import pauses_before_science, play
    from rehearsal.simulator.night_files import RealNight, prepare_real_night
    from rehearsal.simulator.scale import SMALL, NightScale
    from rehearsal.simulator.simulate import SimulatedNight, simulate_night

__all__ = [
    "SMALL",
    "NightScale",
    "NightScore",
    "RealNight",
    "SimulatedNight",
    "pauses_before_science",
    "play",
    "prepare_real_night",
    "score_night",
    "simulate_night",
]

_HOMES = {
    "SMALL": "scale",
    "NightScale": "scale",
    "NightScore": "detection_score",
    "RealNight": "night_files",
    "SimulatedNight": "simulate",
    "pauses_before_science": "file_player",
    "play": "file_player",
    "prepare_real_night": "night_files",
    "score_night": "detection_score",
    "simulate_night": "simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
