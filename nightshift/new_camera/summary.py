"""What was found, guessed and asked, in a table for the terminal."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nightshift.ingest.naming import shown
from nightshift.new_camera.guesses import Certainty
from nightshift.new_camera.propose import Proposal

__all__ = ["summary_lines"]

VALUE_WIDTH, KEY_WIDTH, SAYS_WIDTH = 34, 34, 90


def summary_lines(proposal: Proposal, folder: Path, raw: Path) -> Iterator[str]:
    """Yield the lines of the summary.

    Parameters
    ----------
    proposal : Proposal
    folder : Path
        Where the draft was written.
    raw : Path
        What it was made of.
    """
    found = proposal.found
    kinds = Counter(kind.value if kind else "of no known kind" for kind in found.types.kinds)
    nights = Counter(found.nights.values())
    yield f"{len(found.files)} frames: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}"
    if nights:
        yield f"nights: {', '.join(f'{night} ({count})' for night, count in sorted(nights.items()))}"
    yield ""
    for file, heading, guess in proposal.draft.guesses():
        if guess.says and file != "jobs.toml":
            key, value = f"{heading.strip('[]')}.{guess.key}".lstrip("."), _short(guess.value, VALUE_WIDTH)
            row = f"{guess.certainty:<7} {key:<{KEY_WIDTH}} {value:<{VALUE_WIDTH}} {guess.says[:SAYS_WIDTH]}"
            yield shown(row)
    if proposal.draft.notes:
        yield ""
        yield from (shown(f"note: {note}") for note in proposal.draft.notes)
    yield ""
    counts = Counter(guess.certainty for _, _, guess in proposal.draft.guesses() if guess.says)
    yield ", ".join(f"{counts[certainty]} {certainty}" for certainty in Certainty)
    yield from _next(proposal, folder, raw)


def _short(value: Any, width: int) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _next(proposal: Proposal, folder: Path, raw: Path) -> Iterator[str]:
    """Yield what to do next."""
    asked = sum(guess.certainty is Certainty.ASKED for _, _, guess in proposal.draft.guesses())
    config, place, files = (shown(str(path)) for path in (folder.parent, folder, raw))
    yield f"the draft is in {place}"
    yield f"next: answer what it asks ({asked}; grep -A2 ASK: {place}/*.toml), then" if asked else "next:"
    yield f"    NIGHTSHIFT_CONFIG={config} nightshift ingest --dry-run --survey {folder.name} {files}"
