"""A camera that numbers anew each night uses its names and ids again: no frame is taken for another night's."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from nightshift.errors import BadInput
from nightshift.ingest.dry_run import find_out
from nightshift.ingest.ingest import ingest_all
from nightshift.night_end.accounts import account
from nightshift.settings.models import FileNames
from nightshift.vocabulary import Disposition, ImageType, Reason
from nightshift.workflow.explain import explain
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration

PATTERN = r"img_(?P<exposure>\d{4})_d(?P<detector>\d\d)\.fits"
FIRST, SECOND = date(2026, 1, 15), date(2026, 1, 16)
NAME = "img_0001_d01.fits"


def numbering(context, exposure_id):
    """The demo camera, numbering its exposures."""
    camera = context.survey.camera.model_copy(
        update={"file_names": FileNames(pattern=PATTERN, exposure_id=exposure_id, largest_mb=20)}
    )
    return context.with_survey(context.survey.model_copy(update={"camera": camera}))


@pytest.fixture
def with_night(context):
    return numbering(context, "{night}_{exposure}")


@pytest.fixture
def without_night(context):
    return numbering(context, "{exposure}")


def bring(frames, night, number=1, detector=1, *, seconds=0, **header):
    """Write an exposure's file of the first or the second night."""
    opened = datetime(2026, 1, 16, 8, number, tzinfo=UTC) + (night - FIRST) + timedelta(seconds=seconds)
    name = f"img_{number:04d}_d{detector:02d}.fits"
    header = {"DATE-OBS": f"{opened:%Y-%m-%dT%H:%M:%S}"} | header
    return frames(number, detector, name=name, **header)


def manifest(context, night, sent):
    entries = [{"name": n, "bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in sent.items()]
    content = {"schema": "nightshift.manifest/1", "site": "demo", "night": f"{night}", "files": entries}
    path = context.inbox / f"manifest_{night:%Y%m%d}.json"
    path.write_text(json.dumps(content))
    return path


def rows(context, text):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(text)
        return [dict(row) for row in cursor.fetchall()]


def say(context, thing, verdict="accept"):
    return dispose(
        context, read_disposal({"frame": thing, "verdict": verdict, "explanation": "looked"}), operator="mira"
    )


def test_two_nights_with_the_same_names_are_both_complete(with_night, frames):
    for night in (FIRST, SECOND):
        paths = [bring(frames, night, number, detector) for number in (1, 2) for detector in (1, 2)]
        sent = {path.name: path.read_bytes() for path in paths}
        arrivals = ingest_all(with_night, [*paths, manifest(with_night, night, sent)])
        assert {arrival.disposition for arrival in arrivals} == {Disposition.REGISTERED}
    for night in (FIRST, SECOND):
        books = account(with_night, night)
        assert (books.sent.total, len(books.sent.parts["received intact"])) == (4, 4)
        assert (books.arrivals.total, books.frames.total, books.units.total) == (5, 4, 8)
        assert not books.unlisted and not books.late
    kept = rows(with_night, "select path, sha256 from raw_frames")
    assert len({frame["path"] for frame in kept}) == len({frame["sha256"] for frame in kept}) == 8
    for frame in kept:
        assert hashlib.sha256(with_night.depot.absolute(frame["path"]).read_bytes()).hexdigest() == frame["sha256"]


def test_a_file_that_never_came_is_missing_though_another_night_has_its_name(with_night, frames):
    came, lost = (bring(frames, FIRST, number) for number in (1, 2))
    listed = manifest(with_night, FIRST, {path.name: path.read_bytes() for path in (came, lost)})
    lost.unlink()
    ingest_all(with_night, [came, listed])
    ingest_all(with_night, [bring(frames, SECOND, 2)])
    books = account(with_night, FIRST)
    assert [m.subject for m in books.sent.parts["missing"]] == ["img_0002_d01.fits"]
    assert [m.subject for m in books.units.parts["missing"]] == [
        f"democam/20260115_0002/d01/q{q}/processed/live" for q in (1, 2)
    ]
    assert any("never arrived" in line for line in explain(with_night, "20260115/img_0002_d01.fits"))
    assert not any("never arrived" in line for line in explain(with_night, "20260116/img_0002_d01.fits"))


def test_a_broken_file_belongs_to_the_last_night_that_lists_its_name(with_night, frames):
    for night in (FIRST, SECOND):
        path = bring(frames, night)
        listed = manifest(with_night, night, {path.name: path.read_bytes()})
        if night == FIRST:
            ingest_all(with_night, [path, listed])
        else:
            path.write_bytes(path.read_bytes()[:9000])
            with_night.clock.time = datetime(2026, 1, 17, 9, tzinfo=UTC)
            ingest_all(with_night, [path, listed])
    assert len(account(with_night, FIRST).sent.parts["received intact"]) == 1
    (corrupt,) = account(with_night, SECOND).sent.parts["corrupt"]
    assert (corrupt.subject, corrupt.reason) == (NAME, Reason.TRUNCATED_FILE)


def test_explain_tells_the_nights_of_one_name_apart(with_night, frames):
    ingest_all(with_night, [bring(frames, FIRST)])
    ingest_all(with_night, [bring(frames, SECOND)])
    both = [line for line in explain(with_night, NAME) if line.startswith("exposure")]
    assert ["20260115_0001" in both[0], "20260116_0001" in both[1]] == [True, True]
    (one,) = [line for line in explain(with_night, f"20260116/{NAME}") if line.startswith("exposure")]
    assert "20260116_0001" in one


def test_who_disposes_of_a_name_of_two_nights_is_asked_which(with_night, frames):
    ingest_all(with_night, [bring(frames, FIRST)])
    ingest_all(with_night, [bring(frames, SECOND)])
    with pytest.raises(BadInput, match=f"say 20260115/{NAME} or 20260116/{NAME}"):
        say(with_night, NAME, "reject")
    say(with_night, f"20260116/{NAME}", "reject")
    invalid = rows(with_night, "select exposure_id from raw_frames where invalid_reason is not null")
    assert invalid == [{"exposure_id": "20260116_0001"}]


def test_a_checksum_that_comes_after_its_file_speaks_of_the_frame_that_it_proves(with_night, frames):
    sums = {}
    for night in (FIRST, SECOND):
        path = bring(frames, night)
        sums[night] = hashlib.sha256(path.read_bytes()).hexdigest()
        ingest_all(with_night, [path])
    late = with_night.inbox / f"{NAME}.sha256"
    late.write_text(f"{sums[FIRST]}  {NAME}\n")
    ingest_all(with_night, [late])
    assert not rows(with_night, "select 1 from raw_frames where invalid_reason is not null")


def test_an_id_that_repeats_is_refused_with_what_mends_it_and_nothing_is_lost(without_night, frames):
    ingest_all(without_night, [bring(frames, FIRST)])
    before = rows(without_night, "select * from raw_frames"), rows(without_night, "select * from exposures")
    paths = [bring(frames, SECOND, number, detector) for number, detector in ((1, 1), (1, 2), (2, 1))]
    content = paths[0].read_bytes()
    again, other_detector, new_number = ingest_all(without_night, paths)
    for arrival in (again, other_detector):
        assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.EXPOSURE_ID_REPEATS)
        assert "the id repeats: add {night} to camera.file_names.exposure_id in " in arrival.detail
        assert "demo/camera.toml" in arrival.detail
    assert new_number.disposition is Disposition.REGISTERED
    assert rows(without_night, "select * from raw_frames where exposure_id = '0001'") == before[0]
    assert rows(without_night, "select * from exposures where exposure_id = '0001'") == before[1]
    kept = rows(without_night, "select path from quarantine order by quarantined_at")
    assert without_night.depot.absolute(kept[0]["path"]).read_bytes() == content
    events = rows(without_night, "select level, subject from events where kind = 'exposure_id_repeats'")
    assert events == [{"level": "page", "subject": "democam/20260116"}]


def test_the_same_file_again_is_a_duplicate_whatever_the_settings(without_night, frames):
    path = bring(frames, FIRST)
    content = path.read_bytes()
    ingest_all(without_night, [path])
    path.write_bytes(content)
    assert ingest_all(without_night, [path])[0].disposition is Disposition.DUPLICATE


def test_a_name_that_comes_again_within_its_night_is_a_conflict(with_night, frames):
    ingest_all(with_night, [bring(frames, FIRST)])
    (arrival,) = ingest_all(with_night, [bring(frames, FIRST, seconds=600)])
    assert (arrival.disposition, arrival.reason) == (Disposition.CONFLICTING, Reason.NAME_CONFLICT)


def test_once_the_settings_are_changed_a_refused_file_is_taken_in(with_night, without_night, frames):
    ingest_all(without_night, [bring(frames, FIRST)])
    ingest_all(without_night, [bring(frames, SECOND)])
    with pytest.raises(BadInput, match="the id repeats") as caught:
        say(without_night, f"20260116/{NAME}")
    assert caught.value.reason is Reason.EXPOSURE_ID_REPEATS
    assert "registered as democam/20260116_0001/d01" in say(with_night, f"20260116/{NAME}")
    found = rows(with_night, "select exposure_id, night from raw_frames order by night")
    assert [(f["exposure_id"], f["night"]) for f in found] == [("0001", FIRST), ("20260116_0001", SECOND)]
    (arrival,) = rows(with_night, "select disposition from arrivals where exposure_id = '20260116_0001'")
    assert arrival["disposition"] == "registered"
    assert not rows(with_night, "select 1 from quarantine where disposed_at is null")


def test_a_dry_run_notices_an_id_that_repeats(with_night, without_night, frames_in, tmp_path):
    paths = []
    for night in (FIRST, SECOND):
        (tmp_path / f"{night}").mkdir()
        paths.append(bring(frames_in(tmp_path / f"{night}"), night))
    first, second = find_out(paths, without_night.deployment)
    assert first.frame is not None and first.frame.image_type is ImageType.SCIENCE
    assert (second.frame, second.reason) == (None, Reason.EXPOSURE_ID_REPEATS)
    assert second.detail.startswith("the id repeats: add {night} to camera.file_names.exposure_id in ")
    assert [f.frame.key.exposure_id for f in find_out(paths, with_night.deployment)] == [
        "20260115_0001",
        "20260116_0001",
    ]


def test_an_id_of_header_values_tells_exposures_of_one_number_apart(context, frames):
    by_header = numbering(context, "{exposure}_{header:OBSID}")
    ingest_all(by_header, [bring(frames, FIRST, OBSID="a")])
    (arrival,) = ingest_all(by_header, [bring(frames, SECOND, OBSID="b")])
    assert arrival.disposition is Disposition.REGISTERED
    found = rows(by_header, "select exposure_id from exposures order by exposure_id")
    assert [row["exposure_id"] for row in found] == ["0001_a", "0001_b"]


def test_a_missing_file_of_an_exposure_whose_id_only_the_header_tells_is_that_exposures(context, frames):
    by_header = numbering(context, "{exposure}_{header:OBSID}")
    paths = [bring(frames, FIRST, detector=detector, OBSID="a") for detector in (1, 2)]
    listed = manifest(by_header, FIRST, {path.name: path.read_bytes() for path in paths})
    paths[1].unlink()
    ingest_all(by_header, [paths[0], listed])
    books = account(by_header, FIRST)
    assert [m.subject for m in books.units.parts["missing"]] == [
        f"democam/0001_a/d02/q{q}/processed/live" for q in (1, 2)
    ]
