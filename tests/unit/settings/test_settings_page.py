"""The page of the settings says what the settings' classes say, of every key."""

from pathlib import Path

from nightshift.settings.settings_page import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def test_the_page_is_that_of_the_classes():
    assert PAGE.read_text() == page(), "run: python -m nightshift.settings.settings_page > docs/settings.md"


def test_something_is_said_of_every_key():
    bare = [line for line in page().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert bare == []
