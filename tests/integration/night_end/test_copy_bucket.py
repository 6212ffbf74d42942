"""Second copies in a bucket: a real server of S3, and stores that are away, slow, closed or without the bucket."""

import http.server
import socket
import threading

import boto3
import pytest
from copy_places import s3_server, with_copies
from night_rows import NIGHT

from nightshift.archive.bucket_place import BucketPlace
from nightshift.archive.copy_place import Gone, NotTheFile, PlaceAway, copy_key, hashed_chunks
from nightshift.archive.copying import copy_night
from nightshift.archive.night_archive import archive, verify
from nightshift.archive.restoring import restore
from nightshift.archive.rota import verify_night_again
from nightshift.settings.copies import CopyPolicy

pytestmark = pytest.mark.integration

BUCKET = "nights"


@pytest.fixture(scope="module")
def server():
    with s3_server() as address:
        client(address).create_bucket(Bucket=BUCKET)
        yield address


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def client(address):
    return boto3.client(
        "s3", endpoint_url=address, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )


def policy(address, to=f"s3://{BUCKET}/second/copy", timeout_s=5.0):
    return CopyPolicy(to=to, endpoint=address, timeout_s=timeout_s)


def test_a_large_object_is_sent_in_parts_and_appears_whole_or_not_at_all(server):
    place, chunk = BucketPlace(policy(server)), b"0123456789abcdef" * 65536
    place.write("large", iter([chunk] * 20), 20 << 20)
    assert b"".join(place.read("large")) == chunk * 20 and place.size("large") == 20 << 20
    with pytest.raises(NotTheFile):
        place.write("bad", hashed_chunks([chunk] * 20, "0" * 64, 20 << 20), 20 << 20)
    assert place.size("bad") is None
    with pytest.raises(Gone):
        place.read("bad")
    assert not client(server).list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    with pytest.raises(NotTheFile):  # an object that is there stays as it was
        place.write("large", hashed_chunks([b"other"], "0" * 64, 5), 5)
    assert place.size("large") == 20 << 20
    place.set_aside("large", "aside/large")
    place.remove("large")
    place.remove("large")
    assert place.size("large") is None and place.size("aside/large") == 20 << 20


def test_a_night_goes_to_a_bucket_is_mended_from_it_and_mends_it_and_comes_back(context, night, server, tmp_path):
    night.science(1)
    night.manifest()
    archive(context, NIGHT)
    verify(context, NIGHT)
    context = with_copies(context, to=f"s3://{BUCKET}/demo", endpoint=server)
    done = copy_night(context, NIGHT)
    assert (done.waiting, done.trouble) == (0, "")
    ours, theirs = night.query("select path, sha256 from archive_files where kind = 'raw' order by path")
    damaged = context.depot.root / "archive" / ours["path"]
    good = damaged.read_bytes()
    with damaged.open("r+b") as stream:
        stream.write(b"X")
    client(server).put_object(Bucket=BUCKET, Key=f"demo/{copy_key(NIGHT, theirs['sha256'])}", Body=b"truncated")
    found = verify_night_again(context, NIGHT)
    assert len(found.mended) == len(found.damaged) == 2 and damaged.read_bytes() == good
    assert len(night.query("select * from files_in_two_places")) == len(night.query("select * from archive_files"))
    place = BucketPlace(policy(server, to=f"s3://{BUCKET}/demo"))
    assert not restore(place, context.site.name, NIGHT, tmp_path / "back").faults
    assert (tmp_path / "back" / ours["path"]).read_bytes() == good


# --- stores that are faulty --------------------------------------------------------------------------------


class Refusing(http.server.BaseHTTPRequestHandler):
    """Refuses whoever comes, as a store does whose credentials are wrong."""

    def refuse(self):
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_GET = do_PUT = do_HEAD = do_POST = refuse  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def refusing():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent():
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_bucket_that_is_not_there_is_named(server):
    place = BucketPlace(policy(server, to="s3://never-made"))
    with pytest.raises(PlaceAway, match="no bucket never-made"):
        place.read("any")
    with pytest.raises(PlaceAway, match="no bucket never-made"):
        place.write("any", [b"x"], 1)


def test_wrong_credentials_say_what_to_check(refusing):
    with pytest.raises(PlaceAway, match="AWS_SECRET_ACCESS_KEY"):
        BucketPlace(policy(refusing)).write("any", [b"x"], 1)


def test_without_credentials_nobody_is_asked(server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(PlaceAway, match="nobody says who may write"):
        BucketPlace(policy(server))


def test_a_store_that_never_answers_is_away_after_the_time_that_the_settings_give_it(silent):
    with pytest.raises(PlaceAway, match="does not answer"):
        BucketPlace(policy(silent, timeout_s=0.3)).read("any")


def test_a_store_that_is_unreachable_delays_the_copies_and_nothing_else(context, night, server):
    night.science(1)
    archive(context, NIGHT)
    verify(context, NIGHT)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    away = with_copies(context, to=f"s3://{BUCKET}/away", endpoint=closed, timeout_s=1.0)
    assert "does not answer" in copy_night(away, NIGHT).trouble
    assert "does not answer" in copy_night(away, NIGHT).trouble
    assert len(night.query("select * from events where kind = 'copies_wait'")) == 1
    assert not night.query("select * from files_in_two_places")
    back = with_copies(context, to=f"s3://{BUCKET}/away", endpoint=server)
    assert copy_night(back, NIGHT).trouble == ""
    assert len(night.query("select * from events where kind = 'copies_go_on'")) == 1
