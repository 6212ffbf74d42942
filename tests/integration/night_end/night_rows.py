"""Rows of a small night, put straight into the ledger with their files in the depot."""

import gzip
import hashlib
import io
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
from astropy.io import fits
from psycopg2 import sql
from psycopg2.extras import Json

from nightshift.alerts.tars import write_tar
from nightshift.context import Context
from nightshift.files import write_whole
from nightshift.keys import LIVE, CalibrationKey, FrameKey, ReferenceKey, UnitKey
from nightshift.nights import night_bounds
from nightshift.vocabulary import CalibrationKind, all_measurements

NIGHT = date(2026, 1, 15)
FIRST = datetime(2026, 1, 16, 4, 0, tzinfo=UTC)
ARRIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CAMERA = "democam"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Night:
    """A night that grows by calls; each writes what ingest and the workflows would have written."""

    def __init__(self, context: Context):
        self.context = context
        self.site = context.survey.site.name
        begins, ends = night_bounds(context.survey.site, NIGHT)
        self.insert("nights", site=self.site, night=NIGHT, begins=begins, ends=ends)
        self.entries: dict[str, tuple[int, str]] = {}
        self.count = 0

    # --- rows --------------------------------------------------------------------------------------------------

    def insert(self, table: str, **row) -> None:
        statement = sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.SQL("%s") for _ in row),
        )
        values = [Json(v) if isinstance(v, dict) else v for v in row.values()]
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def query(self, text: str, *values):
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(text, values)
            return [dict(r) for r in cursor.fetchall()] if cursor.description else []

    # --- files -------------------------------------------------------------------------------------------------

    def arrival(self, name: str, content: bytes, disposition: str, *, reason=None, detail="", frame=None) -> str:
        self.count += 1
        key = f"arrival-{self.count:05d}"
        place = self.context.depot.quarantine(NIGHT, key)
        self.insert(
            "arrivals", arrival_key=key, inbox_name=name, bytes=len(content), sha256=digest(content),
            arrived_at=ARRIVED + timedelta(seconds=self.count), disposition=disposition, reason=reason, detail=detail,
            site=self.site, night=NIGHT, instrument=CAMERA if frame else None,
            exposure_id=frame.exposure_id if frame else None, detector=frame.detector if frame else None,
        )  # fmt: skip
        if disposition == "quarantined":
            write_whole(place, content)
            relative = self.context.depot.relative(place)
            self.insert("quarantine", arrival_key=key, path=relative, reason=reason, detail=detail)
        return key

    @staticmethod
    def name(number: int, detector: int = 1) -> str:
        return f"demo_{number:014d}_d{detector:02d}.fits"

    def exposure(self, number: int, image_type="science", filter="g", field=101, seconds=30.0) -> str:
        exposure_id = f"{number:014d}"
        is_science = image_type == "science"
        self.insert(
            "exposures", instrument=CAMERA, exposure_id=exposure_id, site=self.site, night=NIGHT,
            ut_day=FIRST.date(), image_type=image_type, field=field if is_science else None,
            filter="" if image_type in ("bias", "dark") else filter, exposure_s=seconds,
            shutter_open=FIRST + timedelta(seconds=45 * number), detectors_expected=[1, 2],
            first_arrival_at=ARRIVED + timedelta(seconds=number),
            last_arrival_at=ARRIVED + timedelta(seconds=number + 1), state="ended",
        )  # fmt: skip
        return exposure_id

    def frame(self, number: int, detector: int = 1, *, listed=True, sent: bytes | None = None, **exposure) -> str:
        """Register one detector's file; `sent` is what the manifest says, where that is something else."""
        exposure_id = self.exposure(number, **exposure)
        key, name = FrameKey(CAMERA, exposure_id, detector), self.name(number, detector)
        content = f"raw frame {name}".encode()
        path = self.context.depot.raw(NIGHT, key, name)
        write_whole(path, content)
        arrival = self.arrival(name, content, "registered", frame=key)
        self.insert(
            "raw_frames", instrument=CAMERA, exposure_id=exposure_id, detector=detector, night=NIGHT,
            arrival_key=arrival, inbox_name=name, path=self.context.depot.relative(path), sha256=digest(content),
            bytes=len(content), header={},
        )  # fmt: skip
        if listed:
            self.list(name, content if sent is None else sent)
        return name

    def list(self, name: str, content: bytes) -> None:
        """Put a name on the manifest."""
        self.entries[name] = (len(content), digest(content))

    def manifest(self, *, parts=1, synthetic=False) -> None:
        files = [{"name": n, "bytes": b, "sha256": s} for n, (b, s) in sorted(self.entries.items())]
        content = json.dumps({"schema": "nightshift.manifest/1", "files": files}).encode()
        path = self.context.depot.manifest(NIGHT, digest(content))
        write_whole(path, content)
        self.arrival(f"manifest_{NIGHT:%Y%m%d}.json", content, "registered")
        self.insert(
            "manifests", site=self.site, night=NIGHT, part=1, parts=parts, sha256=digest(content),
            path=self.context.depot.relative(path), synthetic=synthetic,
        )  # fmt: skip
        for name, (size, sha256) in self.entries.items():
            self.insert(
                "manifest_entries", site=self.site, night=NIGHT, part=1, file_name=name, bytes=size, sha256=sha256
            )

    # --- what was made -----------------------------------------------------------------------------------------

    def unit(self, number: int, detector=1, quadrant=1, *, state="processed", reason=None, detail="", quality=None):
        key = UnitKey(CAMERA, f"{number:014d}", detector, quadrant)
        ended = None if state in ("pending", "running") else ARRIVED
        self.insert(
            "units", instrument=CAMERA, exposure_id=key.exposure_id, detector=detector, quadrant=quadrant,
            night=NIGHT, unit_key=str(key), state=state, reason=reason, detail=detail, ended_at=ended,
        )  # fmt: skip
        if quality is not None:
            names = [measurement.name for measurement in all_measurements() if measurement.name in quality]
            self.context.ledger.run(
                "science", "put_measurements",
                unit_key=str(key), instrument=CAMERA, exposure_id=key.exposure_id, detector=detector,
                quadrant=quadrant, good=quality["good"], warnings=quality.get("warnings", []),
                corners_deg=quality.get("corners_deg"), names=names, numbers=[quality[name] for name in names],
            )  # fmt: skip
        return str(key)

    def science(self, number: int, **exposure) -> None:
        """One whole exposure, all four quadrants processed."""
        for detector in (1, 2):
            self.frame(number, detector, **exposure)
            for quadrant in (1, 2):
                self.unit(number, detector, quadrant)

    def job(self, key: str, kind="science") -> str:
        self.insert("jobs", job_key=key, kind=kind, subject=key, site=self.site, night=NIGHT)
        return key

    def product(self, unit_key: str, kind: str, content: bytes, *, lasting=False) -> str:
        path = self.context.depot.root / "processed" / unit_key / f"{kind}.bin"
        write_whole(path, content)
        key = f"{unit_key}:{kind}"
        self.insert(
            "products", product_key=key, leaves_with="infinity" if lasting else NIGHT, kind=kind,
            unit_key=unit_key, site=self.site, night=NIGHT, path=self.context.depot.relative(path),
            sha256=digest(content), bytes=len(content), code_version="0", settings_hash="0", job_key=self.job("job"),
            attempt=1,
        )  # fmt: skip
        return key

    def master(self, kind: str, frames, *, detector=1, quadrant=1, filter="", version=1, refused=None, **row) -> None:
        """A master from the frames of `frames` (numbers); `refused` says the reason of those that were not taken."""
        key = str(CalibrationKey(CalibrationKind(kind), CAMERA, detector, quadrant, filter, NIGHT, version=version))
        product = self.product(key, kind, key.encode(), lasting=True)
        self.insert(
            "calibrations", kind=kind, instrument=CAMERA, detector=detector, quadrant=quadrant, filter=filter,
            night=NIGHT, version=version, campaign=LIVE, calibration_key=key, product_key=product, frames=len(frames),
            valid_from=FIRST, **{"state": "in_service", "level": 312.5, "noise": 1.25, **row},
        )  # fmt: skip
        for number in [*frames, *(refused or {})]:
            reason = (refused or {}).get(number)
            self.insert(
                "calibration_frames", calibration_key=key, instrument=CAMERA, exposure_id=f"{number:014d}",
                detector=detector, accepted=reason is None, reason=reason, level=312.0 + number % 7,
            )  # fmt: skip

    def reference(self, *, field=101, filter="g", detector=1, quadrant=1, version=1, built=ARRIVED) -> str:
        key = str(ReferenceKey(field, CAMERA, detector, quadrant, filter, version))
        product = self.product(key, "reference", key.encode(), lasting=True)
        self.insert(
            "reference_images", field=field, instrument=CAMERA, detector=detector, quadrant=quadrant, filter=filter,
            version=version, campaign=LIVE, reference_key=key, state="in_service", product_key=product, frames=6,
            fwhm_px=2.1, zero_point=25.0, limiting_magnitude=22.0, valid_from=FIRST, built_at=built,
        )  # fmt: skip
        return key

    def alerts(self, number: int, positions, reference: str, *, state="sent", seed=0, seconds=8.0, objects=None):
        """Candidates with stamps, packets and outbox rows of one quadrant; returns the candids."""
        unit = str(UnitKey(CAMERA, f"{number:014d}", 1, 1))
        exposure = self.query("select * from exposures where exposure_id = %s", f"{number:014d}")[0]
        candids = [number * 1000 + i for i in range(1, len(positions) + 1)]
        packets = [(candid, f"packet {candid}".encode() * 20) for candid in candids]
        tar = self.context.depot.packets(NIGHT, CAMERA, f"{number:014d}", "science")
        tar.parent.mkdir(parents=True, exist_ok=True)
        members = dict(zip(candids, write_tar(tar, [(f"{c}.avro", b) for c, b in packets]), strict=True))
        self.insert(
            "differences", unit_key=unit, night=NIGHT, reference_key=reference, state="processed",
            candidates=len(positions), noise_ratio=1.02, ended_at=ARRIVED, released_at=ARRIVED,
        )  # fmt: skip
        layout = self.query("select layout from pack_record('{}', '{}', '{}')")[0]["layout"]
        for i, (candid, (ra, dec)) in enumerate(zip(candids, positions, strict=True), start=1):
            name = (objects or {}).get(i, f"NS26{number:03d}{i:02d}")
            self.insert(
                "objects", object_id=name, site=self.site, ra_deg=ra, dec_deg=dec, first_candid=candid,
                first_seen=FIRST, last_seen=FIRST,
            )  # fmt: skip
            self.insert(
                "candidates", candid=candid, shutter_open=exposure["shutter_open"], unit_key=unit, campaign="live",
                reference_key=reference, number=i, processing_id=1, object_id=name, site=self.site, night=NIGHT,
                field=exposure["field"], filter=exposure["filter"], ra_deg=ra, dec_deg=dec, x=1.0, y=1.0,
                positive=True,
                signal_to_noise=5 + 40 / i, magnitude=18 + i / 3, magnitude_error=0.1, layout=layout,
                numbers=[], texts=[],
            )  # fmt: skip
            place, released = members[candid], state != "withheld"
            self.insert(
                "alerts", candid=candid, shutter_open=exposure["shutter_open"], object_id=name, unit_key=unit,
                campaign="live", site=self.site, night=NIGHT, state=state, reason=None if released else "flood",
                packet_path=self.context.depot.relative(tar), packet_offset=place.offset,
                packet_bytes=place.bytes, packet_sha256=place.sha256,
            )  # fmt: skip
            sent = state == "sent"
            self.insert(
                "outbox", candid=candid, shutter_open=exposure["shutter_open"], topic="demo_20260115_programid1",
                state={"sent": "acknowledged", "released": "queued", "withheld": "withheld"}[state],
                acknowledged_at=exposure["last_arrival_at"] + timedelta(seconds=seconds + i / 5) if sent else None,
                broker_partition=0 if sent else None, broker_offset=candid if sent else None, tries=1,
            )  # fmt: skip
        self.stamps(unit, len(positions), seed)
        return candids

    def stamps(self, unit: str, count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        y, x = np.mgrid[:63, :63] - 31
        star = np.exp(-(x**2 + y**2) / 8)
        members = []
        for number in range(1, count + 1):
            galaxy = 300 * np.exp(-np.hypot(x - 3, y + 2) / 5)
            template = galaxy + random.normal(0, 4, (63, 63))
            science = galaxy + 600 / number * star + random.normal(0, 8, (63, 63))
            for kind, image in (("science", science), ("template", template), ("difference", science - template)):
                stream = io.BytesIO()
                fits.PrimaryHDU(image.astype(np.float32)).writeto(stream)
                members.append((f"{number}_{kind}.fits.gz", gzip.compress(stream.getvalue(), mtime=0)))
        path = self.context.depot.root / "scratch.tar"
        write_tar(path, members)
        self.product(unit, "cutouts", path.read_bytes())

    def tracklet(self, number: int, candids) -> None:
        key = f"{self.site}/{NIGHT:%Y%m%d}/live/{number}"
        rows = self.query("select * from candidates where candid = any(%s) order by shutter_open", list(candids))
        self.insert(
            "tracklets", site=self.site, night=NIGHT, number=number, tracklet_key=key, detections=len(rows),
            begins=rows[0]["shutter_open"], ends=rows[-1]["shutter_open"], ra_deg=rows[0]["ra_deg"],
            dec_deg=rows[0]["dec_deg"], rate_deg_per_day=0.412, position_angle_deg=112.4, residual_arcsec=0.11,
            magnitude=19.3,
        )  # fmt: skip
        for position, row in enumerate(rows, start=1):
            self.insert(
                "tracklet_members", tracklet_key=key, candid=row["candid"], position=position, residual_arcsec=0.1
            )
