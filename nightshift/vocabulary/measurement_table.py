"""Write ``docs/measurements.md`` from the registry of measurements.

``python -m nightshift.vocabulary.measurement_table > docs/measurements.md``
"""

from nightshift.vocabulary.measurements import Measurement, all_measurements

__all__ = ["measurement_page"]

_HEAD = """# What an image is measured for

Every quadrant of a science exposure is measured for these numbers, also one that is rejected. All of them are in the
ledger and on the quadrant's page (`nightshift inspect <unit>`); the last column names the table of the morning's
report that shows a measurement by filter, and how, and says which ones are drawn against time.

    select unit_key, fwhm_px, zero_point from image_quality where not good;

A measurement with reasons may be bounded by a `[[thresholds]]` of the survey's `policy.toml`. Outside of `warn` the
image is used and marked; outside of `fail` it is rejected, for the reason under "too low" where the number is too
low, and for the one under "too high" where it is too high or could not be measured. Of several bounds that an image
breaks, the first in this order gives the reason. A measurement with a star is a cause: it explains why later steps
could not go on, and is the reason in place of their failure.

This page is made from `nightshift/vocabulary/measurements.py` by
`python -m nightshift.vocabulary.measurement_table > docs/measurements.md`. To add a measurement see
[extending](extending.md).

| name | unit | what it is | too low | too high | in the report |
|---|---|---|---|---|---|
"""


def measurement_page() -> str:
    """Return the page."""
    return "".join([_HEAD, *(f"{_row(measurement)}\n" for measurement in all_measurements())])


def _row(measurement: Measurement) -> str:
    star = " *" if measurement.cause else ""
    reasons = (_reason(measurement.reason_low), _reason(measurement.reason_high))
    cells = (f"`{measurement.name}`{star}", measurement.unit or "—", measurement.says, *reasons, _shown(measurement))
    return f"| {' | '.join(cells)} |"


def _shown(measurement: Measurement) -> str:
    mail = measurement.mail
    shown = [] if mail is None else [f"{mail.table}: {mail.summary}{', arcsec' if mail.in_arcsec else ''}"]
    shown += ["drawn against time"] if measurement.panel else []
    return "; ".join(shown) or "—"


def _reason(reason: str | None) -> str:
    return "—" if reason is None else f"`{reason}`"


if __name__ == "__main__":
    print(measurement_page(), end="")
