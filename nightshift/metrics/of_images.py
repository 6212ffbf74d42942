"""What the last images measure: a family of each measurement."""

from collections.abc import Iterator
from functools import partial

from nightshift.metrics.families import Family, Row, SiteNight
from nightshift.vocabulary import Measurement, all_measurements

__all__ = ["measured_families"]


def measured_families() -> tuple[Family, ...]:
    """Return a family of each measurement, named after it."""
    return tuple(
        Family(
            f"nightshift_image_{measurement.name}", _says(measurement), ("instrument", "filter"),
            partial(_medians, measurement.name),
        )
        for measurement in all_measurements()
    )  # fmt: skip


def _says(measurement: Measurement) -> str:
    unit = f" ({measurement.unit})" if measurement.unit else ""
    return f"Median over the last exposures{unit}: {measurement.says}"


def _medians(name: str, of: SiteNight) -> Iterator[Row]:
    yield from of.image_medians.get(name, [])
