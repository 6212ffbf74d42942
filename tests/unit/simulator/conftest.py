"""A night as small as a night can be, made once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nightshift.settings import load_survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.expose import NightSky
from rehearsal.simulator.night_plan import DEFAULT_NIGHT, Exposure
from rehearsal.simulator.scale import NightScale
from rehearsal.simulator.simulate import SimulatedNight, night_sky, simulate_night

TINY = NightScale(fields=1, filters=1, visits=8, biases=2, darks=1, flats=2, dark_s=60.0, shape=(160, 176))
SEED = 5


@dataclass(frozen=True)
class TinyNight:
    """The night on disk, and the sky that it was made from."""

    made: SimulatedNight
    sky: NightSky
    scale: NightScale = TINY
    seed: int = SEED

    @property
    def science(self) -> list[Exposure]:
        """The science exposures in shutter order."""
        return [e for e in self.made.exposures if e.image_type == ImageType.SCIENCE]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNight]:
    """One field in one filter, two detectors of two quadrants of 160x176."""
    folder: Path = tmp_path_factory.mktemp("night")
    made = simulate_night(load_survey("demo"), folder, seed=SEED, scale=TINY)
    yield TinyNight(made, night_sky(made.survey, TINY, made.exposures, seed=SEED, night=DEFAULT_NIGHT))
