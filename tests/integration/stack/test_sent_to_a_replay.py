"""What ingest makes of a replay's own files is known as played, whatever was wrong with them."""

import os

import pytest

from nightshift.ingest.ingest import ingest_all
from nightshift.ingest.set_aside import NOTE
from nightshift.stack.foreign_files import sent_files
from nightshift.stack.home import Home
from rehearsal.simulator import play

pytestmark = pytest.mark.integration


def test_of_files_in_quarantine_only_those_that_no_replay_played_were_sent(context, frames_in, tmp_path):
    raw = tmp_path / "raw"
    (raw / "again").mkdir(parents=True)
    played = [frames_in(raw)(number) for number in range(2)]
    played.append(frames_in(raw / "again")(0, level=7))  # the first one's name with other pixels
    for name in ("not_a_frame.txt", "orphan.fits.sha256", "manifest_20260115.json"):
        (raw / name).write_text(name)
        played.append(raw / name)
    (raw / "link.fits").symlink_to("/etc/passwd")
    os.mkfifo(raw / "pipe.fits")
    played += [raw / "link.fits", raw / "pipe.fits"]

    def take_in(*_):
        ingest_all(context, sorted(context.inbox.iterdir()))

    play(played, context.inbox, interval_s=0.0, tell=take_in)
    home = Home(tmp_path)
    assert len([*home.depot.glob("raw/**/*.fits")]) == 2
    assert len([path for path in home.depot.glob("quarantine/**/*") if path.is_file() and path.suffix != NOTE]) == 6
    assert sent_files(home, context.deployment, played) == []

    (context.inbox / "link.fits").write_text("of somebody who took a name that was played")
    take_in()
    (found,) = sent_files(home, context.deployment, played)
    assert found.read_text().startswith("of somebody")
