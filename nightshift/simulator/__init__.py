"""A sky and a camera for any configured survey, from a seed, with the truth beside."""

from nightshift.simulator.scale import SMALL, NightScale
from nightshift.simulator.simulate import SimulatedNight, simulate_night

__all__ = ["SMALL", "NightScale", "SimulatedNight", "simulate_night"]
