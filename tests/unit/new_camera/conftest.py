"""A small made-up camera: 160 x 200 pixels, 24 columns of overscan at the right, 1.6 electrons per ADU."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

GAIN, READ_NOISE, PEDESTAL = 1.6, 6.4, 500.0
SHAPE, OVERSCAN = (160, 200), 24
STARS = np.random.default_rng(5).uniform(10, 150, (25, 2))


@dataclass
class MadeUpCamera:
    """Writes frames as a camera would."""

    folder: Path
    cards: dict = field(
        default_factory=lambda: {"INSTRUME": "toycam", "SITELONG": "-70 30 00", "SITELAT": "-30 10 00"}
    )
    seed: int = 0

    def pixels(self, light_adu, *, stars: bool = False, gain: float = GAIN) -> np.ndarray:
        self.seed += 1
        random = np.random.default_rng(self.seed)
        light = np.zeros(SHAPE)
        light[:, :-OVERSCAN] = light_adu * gain
        if stars:
            rows, columns = np.indices(SHAPE)
            for x, y in STARS:
                light += 9000 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.5**2))
            light[:, -OVERSCAN:] = 0
        electrons = random.poisson(light) + random.normal(0, READ_NOISE, SHAPE)
        return np.clip(np.rint(electrons / gain + PEDESTAL), 0, 65535).astype(np.uint16)

    def write(self, name: str, kind: str, moment: datetime, light_adu=0.0, *, stars=False, **cards) -> Path:
        exposure = cards.pop("EXPTIME", 0.0 if kind == "BIAS" else 30.0)
        unit = fits.PrimaryHDU(
            cards.pop("pixels", None) if "pixels" in cards else self.pixels(light_adu, stars=stars)
        )
        given = {**self.cards, "IMAGETYP": kind, "EXPTIME": exposure, "DATE-OBS": f"{moment:%Y-%m-%dT%H:%M:%S}"}
        if kind in ("FLAT", "LIGHT"):
            given["FILTER"] = "r"
        if kind == "LIGHT":
            given |= {"RA": "10 00 00", "DEC": "-30 00 00", "AIRMASS": 1.1}
        for key, value in {**given, **cards}.items():
            if value is not None:
                unit.header[key] = value
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unit.writeto(path)
        return path

    def night(self, first: datetime = datetime(2026, 1, 16, 1), prefix: str = "") -> None:
        """Four biases, four flats and four science frames."""
        kinds = [("BIAS", 0.0), ("FLAT", 9000.0), ("LIGHT", 300.0)]
        for number in range(12):
            kind, light = kinds[number // 4]
            moment = first + timedelta(minutes=number)
            self.write(f"{prefix}img_{number:04d}.fits", kind, moment, light, stars=kind == "LIGHT")


@pytest.fixture
def toycam(tmp_path):
    return MadeUpCamera(tmp_path / "raw")


@pytest.fixture
def proposed(toycam):
    """Propose settings of what the made-up camera wrote; values by ``file: table.key``, of several the first."""
    from nightshift.new_camera.propose import propose

    def call(**options):
        proposal = propose(toycam.folder, lambda _: None, **options)
        values: dict = {}
        for _, heading, guess in proposal.draft.guesses():
            values.setdefault(f"{heading.strip('[]')}.{guess.key}".lstrip("."), guess)
        return proposal, values

    return call
