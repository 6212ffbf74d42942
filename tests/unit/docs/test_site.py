"""The pages build as a site without a warning, with every page, and nothing of it is fetched elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)[^>]* src=\"?(https?:)?//|<link[^>]* href=\"?https?://[^>]*stylesheet"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(ROOT / "deploy/mkdocs.yml")]
    done = subprocess.run(
        [*command, "--site-dir", str(folder)], env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_site(site):
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.stem for path in site.glob("*.html")}


def test_a_reader_without_a_network_sees_all_of_it(site):
    for page in site.glob("*.html"):
        assert not FETCHED.search(page.read_text()), page.name


def test_the_pages_can_be_searched(site):
    index = (site / "search" / "search_index.json").read_text()
    assert "flat_level_adu" in index
