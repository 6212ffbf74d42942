"""A file below a folder is removed, and nothing else."""

import os

import pytest

from nightshift.housekeeping.removal import NotRemoved, remove_empty_folders, remove_file, remove_folder


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "depot"
    (folder / "raw" / "2026").mkdir(parents=True)
    (folder / "raw" / "2026" / "a.fits").write_bytes(b"12345")
    return folder


def test_a_file_is_removed_and_its_bytes_are_free(root):
    assert remove_file(root, "raw/2026/a.fits", size=5) == 5
    assert not (root / "raw" / "2026" / "a.fits").exists()
    assert remove_file(root, "raw/2026/a.fits", size=5) == 0  # gone already


def test_a_file_with_a_second_name_frees_nothing(root):
    (root / "archive").mkdir()
    os.link(root / "raw" / "2026" / "a.fits", root / "archive" / "a.fits")
    assert remove_file(root, "raw/2026/a.fits", size=5) == 0
    assert (root / "archive" / "a.fits").read_bytes() == b"12345"


@pytest.mark.parametrize("path", ["", "a", "/etc/passwd", "../x/y", "raw/../../x/y", "raw/2026", "."])
def test_what_is_no_file_below_a_folder_is_refused(root, path):
    with pytest.raises(NotRemoved):
        remove_file(root, path, size=5)


def test_links_are_not_followed(root, tmp_path):
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "a.fits").write_bytes(b"12345")
    (root / "raw" / "link").symlink_to(outside)
    (root / "raw" / "b.fits").symlink_to(outside / "a.fits")
    with pytest.raises(NotRemoved):
        remove_file(root, "raw/link/a.fits", size=5)
    with pytest.raises(NotRemoved):
        remove_file(root, "raw/b.fits", size=5)
    with pytest.raises(NotRemoved):
        remove_folder(root, "raw/link")
    remove_folder(root, "raw/2026")
    assert (outside / "a.fits").exists() and (outside / "inner").exists()


def test_a_folder_goes_with_what_is_in_it_and_links_in_it_alone(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"1")
    (root / "raw" / "2026" / "link").symlink_to(outside)
    assert remove_folder(root, "raw/2026") >= 5
    assert (outside / "precious").exists() and not (root / "raw" / "2026").exists()


def test_empty_folders_go_up_to_the_second_level(root):
    deep = root / "raw" / "2027" / "0101" / "camera"
    deep.mkdir(parents=True)
    remove_empty_folders(root, "raw/2027/0101/camera/gone.fits")
    assert not (root / "raw" / "2027").exists() and (root / "raw").exists()
    remove_empty_folders(root, "raw/2026/gone.fits")
    assert (root / "raw" / "2026" / "a.fits").exists()
