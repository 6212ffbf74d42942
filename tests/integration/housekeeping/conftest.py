"""Nights that have closed, with their files in the depot, the archive and a second copy, written into the ledger."""

import hashlib
import os
from datetime import date, timedelta

import pytest
from psycopg2.extras import Json

from nightshift.nights import night_bounds
from nightshift.settings import Deployment
from nightshift.settings.retention import RetentionPolicy

FIRST = date(2026, 1, 1)
PLACE = "/second"
FEW_NIGHTS = RetentionPolicy(
    raw_nights=5, calibrated_nights=3, sources_nights=8, cutouts_nights=4, packets_nights=30, differences_nights=30
)


class ClosedNights:
    """Writes closed nights of the demo site; their number counts from 2026-01-01."""

    def __init__(self, context, clock):
        self.context, self.clock = context, clock
        self.copied = {}  # what the second copy holds, by checksum
        self.sql("insert into copy_places (site, place, marker) values ('demo', %s, 'x')", PLACE)
        self.sql(
            "insert into jobs (job_key, kind, subject, site, night) values ('toy', 'science', 'x', 'demo', %s)", FIRST
        )

    def sql(self, text, *values):
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(text, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else None

    def __call__(self, first, last, **options):
        """Write nights first to last, and let the clock stand at the noon after."""
        for number in range(first, last + 1):
            self.one(FIRST + timedelta(days=number), **options)
        self.clock.moment = night_bounds(self.context.site, FIRST + timedelta(days=last))[1]

    def one(self, night, *, archived=True, copied=True, field=None, links=False):
        """Write one night of one exposure: a raw file, and three products of a quadrant."""
        begins, ends = night_bounds(self.context.site, night)
        exposure = f"{night:%Y%m%d}080000"
        opened = begins + timedelta(hours=13)
        self.sql(
            "insert into nights (site, night, begins, ends, state, closed_at)"
            " values ('demo', %s, %s, %s, 'closed', now()) on conflict do nothing",
            night, begins, ends,
        )  # fmt: skip
        self.sql(
            "insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter,"
            " exposure_s, shutter_open, detectors_expected, state, ended_at)"
            " values ('democam', %s, 'demo', %s, %s, 'science', %s, 'g', 30, %s, '{1}', 'ended', now())",
            exposure, night, night, field, opened,
        )  # fmt: skip
        name = f"demo_{exposure}_d01.fits"
        raw = f"raw/{night:%Y/%m%d}/democam/{exposure}/{name}"
        content = f"raw of {night}".encode() * 20
        self.sql(
            "insert into arrivals (arrival_key, inbox_name, bytes, sha256, disposition, site, night, instrument,"
            " exposure_id, detector) values (%s, %s, %s, %s, 'registered', 'demo', %s, 'democam', %s, 1)",
            name, name, len(content), sha(content), night, exposure,
        )  # fmt: skip
        self.sql(
            "insert into raw_frames (instrument, exposure_id, detector, arrival_key, inbox_name, path, sha256, bytes,"
            " header, night) values ('democam', %s, 1, %s, %s, %s, %s, %s, %s, %s)",
            exposure, name, name, raw, sha(content), len(content), Json({}), night,
        )  # fmt: skip
        self._file(night, raw, "raw", content, archived=archived, copied=copied, links=links)
        unit = f"democam/{exposure}/d01/q1/processed/live"
        self.sql(
            "insert into units (instrument, exposure_id, detector, quadrant, night, unit_key, state, ended_at)"
            " values ('democam', %s, 1, 1, %s, %s, 'processed', now())",
            exposure, night, unit,
        )  # fmt: skip
        for kind in ("calibrated", "sources", "difference"):
            made = f"{kind} of {night}".encode() * 20
            path = f"processed/{night:%Y/%m%d}/{unit}/{kind}.fits"
            self.sql(
                "insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes,"
                " code_version, settings_hash, job_key, attempt)"
                " values (%s, %s, %s, %s, 'demo', %s, %s, %s, %s, 'c', 's', 'toy', 1)",
                f"{unit}/{kind}", night, kind, unit, night, path, sha(made), len(made),
            )  # fmt: skip
            self._file(night, path, f"product/{kind}", made, archived=archived, copied=copied, links=links)
        # the field's own catalogue is another one
        self.sql("delete from sources_without_catalogue")
        self.sql("update nights set changed = false where night = %s", night)
        return unit

    def _file(self, night, path, kind, content, *, archived, copied, links):
        root = self.context.depot.root
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if archived:
            below = f"{night:%Y/%m%d}/{path}"
            target = root / "archive" / below
            target.parent.mkdir(parents=True, exist_ok=True)
            if links:
                os.link(place, target)
            else:
                target.write_bytes(content)
            self.sql(
                "insert into archive_files (site, night, path, kind, source, sha256, bytes, verified_at)"
                " values ('demo', %s, %s, %s, %s, %s, %s, now())",
                night, below, kind, path, sha(content), len(content),
            )  # fmt: skip
        if copied:
            self.copied[sha(content)] = content
            self.sql(
                "insert into copies (site, night, sha256, place, bytes, source, verified_at)"
                " values ('demo', %s, %s, %s, %s, %s, now()) on conflict do nothing",
                night, sha(content), PLACE, len(content), path,
            )  # fmt: skip

    def here(self, folder="raw"):
        """Return the nights of which something lies in one of the depot's folders, counted as they were written."""
        files = (self.context.depot.root / folder).rglob("*.fits")
        names = {file.relative_to(self.context.depot.root / folder).as_posix()[:9] for file in files}
        return sorted((date(int(name[:4]), int(name[5:7]), int(name[7:])) - FIRST).days for name in names)

    def products_here(self, kind):
        """Return the nights of which a kind of product is on disk."""
        files = (self.context.depot.root / "processed").rglob(f"{kind}.fits")
        names = {file.relative_to(self.context.depot.root / "processed").as_posix()[:9] for file in files}
        return sorted((date(int(name[:4]), int(name[5:7]), int(name[7:])) - FIRST).days for name in names)


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def context(context):
    """The demo survey, whose files stay for a few nights."""
    survey = context.survey.model_copy(update={"retention": FEW_NIGHTS})
    return type(context)(Deployment.of(survey), context.ledger, context.depot, context.inbox, context.clock)


@pytest.fixture
def nights(context, clock):
    return ClosedNights(context, clock)
