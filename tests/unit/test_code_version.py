"""The code's version is the commit, and says when the tree was changed."""

import os
import subprocess
from pathlib import Path

import pytest

from nightshift import __version__
from nightshift.code_version import CHANGED, UNCHECKED, version_of

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of one commit, with code and settings."""
    root = tmp_path / "checkout"
    for name in ("nightshift/__init__.py", "config/demo/policy.toml"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("\n")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*GIT, *arguments], cwd=root, check=True)
    return root


def commit_of(root: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def without_git(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))


def test_the_version_of_a_checkout_is_its_commit(checkout):
    assert version_of(checkout) == commit_of(checkout)


def test_a_changed_tracked_file_is_said(checkout):
    (checkout / "nightshift" / "__init__.py").write_text("x = 1\n")
    assert version_of(checkout) == commit_of(checkout) + CHANGED


def test_neither_settings_nor_untracked_files_change_the_code(checkout):
    (checkout / "config" / "demo" / "policy.toml").write_text("# another\n")
    (checkout / "notes.txt").write_text("mine\n")
    assert version_of(checkout) == commit_of(checkout)


def test_without_git_the_commit_is_read_and_said_to_be_unchecked(checkout, monkeypatch, tmp_path):
    commit = commit_of(checkout)
    without_git(monkeypatch, tmp_path / "empty")
    assert version_of(checkout) == commit + UNCHECKED


def test_without_git_packed_branches_and_second_work_trees_are_read_too(checkout, monkeypatch, tmp_path):
    commit = commit_of(checkout)
    for arguments in (("pack-refs", "--all"), ("worktree", "add", "-q", "-b", "other", str(tmp_path / "second"))):
        subprocess.run([*GIT, *arguments], cwd=checkout, check=True)
    without_git(monkeypatch, tmp_path / "empty")
    assert version_of(checkout) == version_of(tmp_path / "second") == commit + UNCHECKED


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_checkout_of_another_user_still_has_its_commit(checkout):
    commit = commit_of(checkout)
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)
    assert version_of(checkout).removesuffix(UNCHECKED) == commit


def test_an_installation_without_a_checkout_reads_the_file_of_its_image(tmp_path):
    (tmp_path / "nightshift").mkdir()
    (tmp_path / "nightshift" / "_commit").write_text("f" * 40 + "\n")
    assert version_of(tmp_path) == "f" * 40


@pytest.mark.parametrize("head", [None, "nonsense", "ref: refs/heads/gone"])
def test_where_nothing_is_known_the_package_says_its_version(head, tmp_path, monkeypatch):
    if head is not None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "HEAD").write_text(head)
    without_git(monkeypatch, tmp_path / "empty")
    assert version_of(tmp_path) == __version__
