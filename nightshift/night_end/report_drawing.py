"""What all pictures of the report have in common: their width, their colours, and how they become files."""

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from nightshift.night_end.report_colours import PICTURE

__all__ = ["SMALL", "WIDTH_PX", "WORDS", "new_figure", "png_of", "say", "tidy"]

WIDTH_PX = 640  # as a picture is shown at a desk; a phone shows half of it, so that words are large
WORDS: dict[str, Any] = {"fontsize": 11.5, "color": PICTURE.ink}
SMALL: dict[str, Any] = {"fontsize": 10.5, "color": PICTURE.faint}
SHOWN_DPI, FILE_DPI = 100, 200
PAD_IN = 0.1  # inches, about each panel


def new_figure(height_px: float) -> Figure:
    """Return an empty figure of the report's width."""
    size = (WIDTH_PX / SHOWN_DPI, height_px / SHOWN_DPI)
    return Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=PAD_IN, h_pad=PAD_IN), facecolor=PICTURE.ground)


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG. The same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=FILE_DPI, facecolor=PICTURE.ground, metadata={"Software": None})
    return stream.getvalue()


def tidy(axes: Axes) -> None:
    """Leave of an axes' frame what is read, in the report's colours."""
    axes.set_facecolor(PICTURE.ground)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PICTURE.line)
    axes.tick_params(labelsize=10.5, colors=PICTURE.faint, color=PICTURE.line, length=3)


def say(axes: Axes, text: str) -> None:
    """Say in the middle of an axes why nothing is drawn there."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", **WORDS)
