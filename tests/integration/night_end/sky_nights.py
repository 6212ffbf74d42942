"""Nights of images somewhere on the sky, put straight into the ledger."""

from datetime import date, datetime, timedelta
from typing import Any

from psycopg2 import sql

from nightshift.context import Context
from nightshift.kinds.science import queries as science_queries
from nightshift.nights import night_bounds

FIRST_NIGHT = date(2026, 1, 15)


def square_deg(ra: float, dec: float, side: float = 0.5) -> list[float]:
    """Corners of an image near the equator."""
    half = side / 2
    return [x for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1)) for x in ((ra + i * half) % 360, dec + j * half)]


class SkyNights:
    """Nights that grow by calls; each image is a quadrant of an exposure of its own."""

    def __init__(self, context: Context):
        self.context = context
        self._number = 0

    def night(self, day: int) -> date:
        """Return the night of that number, which is there from then on."""
        night = FIRST_NIGHT + timedelta(days=day)
        begins, ends = night_bounds(self.context.site, night)
        self._insert("nights", site=self.context.site.name, night=night, begins=begins, ends=ends)
        return night

    def image(
        self, night: date, corners: list[float] | None, limit: float | None = 20.0, *, filter: str = "g",
        flags: tuple[str, ...] = (), state: str = "processed", exposure: str = "", detector: int = 1,
    ) -> str:  # fmt: skip
        """Put in one image, and return its key."""
        self._number += 1
        exposure = exposure or f"e{self._number:05d}"
        instrument = self.context.survey.camera.instrument
        opened = datetime.combine(night + timedelta(days=1), datetime.min.time()) + timedelta(seconds=self._number)
        self._insert(
            "exposures", instrument=instrument, exposure_id=exposure, site=self.context.site.name, night=night,
            ut_day=night, image_type="science", field=101, filter=filter, exposure_s=30.0,
            shutter_open=opened, detectors_expected=[1], state="ended",
        )  # fmt: skip
        key = f"{instrument}/{exposure}/d{detector:02d}/q1/processed/live"
        self._insert(
            "units", instrument=instrument, exposure_id=exposure, detector=detector, quadrant=1, night=night,
            unit_key=key, state=state, flags=list(flags), ended_at=opened,
            reason=None if state == "processed" else "too_few_stars",
        )  # fmt: skip
        science_queries.put_measurements(
            self.context.ledger,
            unit_key=key, instrument=instrument, exposure_id=exposure, detector=detector, quadrant=1, good=True,
            warnings=[], corners_deg=corners, names=[] if limit is None else ["limiting_magnitude"],
            numbers=[] if limit is None else [limit],
        )  # fmt: skip
        return key

    def reject(self, unit_key: str) -> None:
        """Reject an image that was processed."""
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(
                "update units set state = 'rejected', reason = 'too_few_stars' where unit_key = %s", (unit_key,)
            )

    def query(self, text: str, *values: Any) -> list[dict[str, Any]]:
        """Return rows of the ledger."""
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(text, values)
            return [dict(row) for row in cursor.fetchall()]

    def _insert(self, table: str, **row: Any) -> None:
        statement = sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.SQL("%s") for _ in row),
        )
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(statement, list(row.values()))
