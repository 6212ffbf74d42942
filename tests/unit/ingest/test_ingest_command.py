"""The command takes in the files that are named, and nothing that was not meant as one."""

import os

import pytest

from nightshift.command_line import main


@pytest.fixture
def refused(capsys, monkeypatch):
    """Call the command and return what it says; it must refuse, and ask for no ledger before."""
    monkeypatch.delenv("NIGHTSHIFT_LEDGER", raising=False)

    def call(*paths) -> str:
        assert main(["ingest", *map(str, paths)]) != 0
        return capsys.readouterr().err

    return call


def test_a_folder_is_refused_with_what_to_do_and_stays_where_it_is(refused, frames_in, tmp_path):
    folder = tmp_path / "night1"
    folder.mkdir()
    good, inside = frames_in(tmp_path)(0), frames_in(folder)(1)
    said = refused(good, folder)
    assert f"{folder} is a folder, and nothing was taken in" in said
    assert f"{folder}/*.fits" in said
    assert f"ingest --dry-run {folder}" in said
    assert (good.exists(), inside.exists()) == (True, True)


def test_a_link_to_a_folder_or_file_and_a_pipe_are_refused(refused, frames_in, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert "is a folder" in refused(tmp_path / "link")
    (tmp_path / "file").symlink_to(frames_in(tmp_path)(0))
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "pipe"):
        assert "Name the file itself" in refused(tmp_path / name)
        assert os.path.lexists(tmp_path / name)


def test_a_name_that_is_not_there_is_refused(refused, tmp_path):
    assert "there is no such file" in refused(tmp_path / "nowhere.fits")
