"""Training of the real-bogus model, and new sources put into real frames."""

from pathlib import Path

__all__ = ["REAL_BOGUS"]

REAL_BOGUS = Path(__file__).parent / "model.json"  # `nightshift train-realbogus` writes it
