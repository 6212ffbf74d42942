"""The live view of a night: a panel on a terminal, a line every few seconds elsewhere."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nightshift.ledger import Ledger
from nightshift.ledger.queries import stack as stack_queries
from nightshift.ledger.queries import watch
from nightshift.ledger.queries.stack import LatestEvent, NightCounts
from nightshift.vocabulary import EventLevel, ExposureState, ImageType, NightState, UnitState

__all__ = ["Glance", "NightView", "take_glance", "together"]

LEVEL_STYLES = {
    EventLevel.INFO: "",
    EventLevel.WARNING: "yellow",
    EventLevel.ERROR: "red",
    EventLevel.PAGE: "bold red",
}
LINE_EVERY_S = 5.0
EVENTS = 8
NUMBERS = (
    "arrived", "registered", "quarantined", "repeated", "masters", "reference_images", "differences", "candidates",
    "released", "acknowledged", "tracklets",
)  # fmt: skip
NOTHING = NightCounts(night_state=NightState.OPEN, mail_sent_at=None, **dict.fromkeys(NUMBERS, 0))
# From the farthest from the end of a night to the nearest.
STATES = (NightState.OPEN, NightState.CLOSING, NightState.UNBALANCED, NightState.CLOSED)


@dataclass(frozen=True)
class Glance:
    """What the ledger says of a night at one moment.

    Parameters
    ----------
    counts : NightCounts or None
        None while the night has no row.
    units : dict of UnitState to int
        Units of science exposures by state.
    exposures : dict of (ImageType, ExposureState) to int
        Exposures by image type and state.
    events : list of LatestEvent
        The latest, newest first.
    waits : list of str
        What the night waits for: storage that is full, read-only or not mounted.
    """

    counts: NightCounts | None = None
    units: dict[UnitState, int] = field(default_factory=dict)
    exposures: dict[tuple[ImageType, ExposureState], int] = field(default_factory=dict)
    events: list[LatestEvent] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> NightCounts:
        """The counts, of a night without a row those of one without files."""
        return self.counts or NOTHING

    @property
    def state(self) -> str:
        """The night's state; empty while it has no row."""
        return self.counts.night_state if self.counts else ""

    @property
    def progress(self) -> tuple[object, ...]:
        """What changes while the night goes on; equal twice means that nothing happened between."""
        return self.counts, tuple(self.units.items()), self.latest_event, tuple(self.exposures.items())

    @property
    def latest_event(self) -> int:
        """The number of the latest event; 0 before the first."""
        return self.events[0].event_id if self.events else 0


def together(glances: Sequence[Glance]) -> Glance:
    """Return what several sites' glances of one night show as one: sums, and the night that is farthest from its end.

    The night's state is that of the first site that has not ended; the mail is sent when each site's is.
    """
    if len(glances) == 1:
        return glances[0]
    return Glance(
        _sum_of([glance.numbers for glance in glances]),
        dict(sum((Counter(glance.units) for glance in glances), Counter[UnitState]())),
        dict(sum((Counter(glance.exposures) for glance in glances), Counter[tuple[ImageType, ExposureState]]())),
        glances[0].events,
        glances[0].waits,
    )


def _sum_of(counts: Sequence[NightCounts]) -> NightCounts:
    sent = [own.mail_sent_at for own in counts]
    return NightCounts(
        night_state=min((own.night_state for own in counts), key=STATES.index),
        mail_sent_at=None if None in sent else max(filter(None, sent)),
        **{name: sum(getattr(own, name) for own in counts) for name in NUMBERS},
    )


def take_glance(ledger: Ledger, site: str, night: date) -> Glance:
    """Ask the ledger how the night stands."""
    exposures = stack_queries.exposures_by_state(ledger, site=site, night=night)
    return Glance(
        stack_queries.glance(ledger, site=site, night=night),
        {row.state: row.units for row in stack_queries.units_by_state(ledger, site=site, night=night)},
        {(row.image_type, row.state): row.exposures for row in exposures},
        stack_queries.latest_events(ledger, most=EVENTS),
        [wait.why for wait in watch.waits(ledger)],
    )


class NightView:
    """Shows phase, time and the latest glance.

    Parameters
    ----------
    console : rich.console.Console
    title : str
    files : int
        How many files the night has, once known.
    """

    def __init__(self, console: Console, title: str):
        self.console = console
        self.title = title
        self.files = 0
        self.played = 0
        self.consumed: int | None = None
        self.disk: str | None = None
        self.phase = "setting up"
        self.last_phase_at = 0.0
        self.notes: deque[str] = deque(maxlen=10)
        self.glance = Glance()
        self._began = time.monotonic()
        self._line_at = 0.0
        self._live: Live | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the view was made."""
        return time.monotonic() - self._began

    @property
    def waits(self) -> list[str]:
        """What the night waits for; where the ledger cannot take it down any more, its own full disk."""
        return self.glance.waits or [self.disk] if self.disk else self.glance.waits

    @contextmanager
    def shown(self) -> Iterator["NightView"]:
        """Show the view while the block runs."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(self, console=self.console, refresh_per_second=4, transient=True) as self._live:
            try:
                yield self
            finally:
                self._live = None

    def enter(self, phase: str) -> None:
        """Say which part of the night this is."""
        self.phase = phase
        self._line_at = 0.0
        self.note(phase)

    def note(self, text: str) -> None:
        """Add a line of progress."""
        self.notes.append(text)
        if self._live is None:
            self.console.print(f"{_clock(self.elapsed_s)}  {text}", highlight=False, markup=False, soft_wrap=True)

    def update(self, glance: Glance) -> None:
        """Take a new glance; where there is no terminal, print new warnings, and a line now and then."""
        known = self.glance.latest_event
        self.glance = glance
        if self._live is not None:
            return
        for event in reversed(glance.events):
            if event.event_id > known and event.level is not EventLevel.INFO:
                self.note(f"{event.level}: {event.message}")
        if time.monotonic() - self._line_at > LINE_EVERY_S:
            self._line_at = time.monotonic()
            self.console.print(self.line(), highlight=False, markup=False, soft_wrap=True)

    def line(self) -> str:
        """Return the night as one line."""
        c = self.glance.numbers
        units = " ".join(f"{state} {n}" for state, n in self.glance.units.items())
        consumed = "" if self.consumed is None else f" consumed {self.consumed}"
        waits = "".join(f" | WAITS: {why}" for why in self.waits)
        return (
            f"{_clock(self.elapsed_s)}  files {self.played}/{self.files} in, {c.registered} registered, "
            f"{c.quarantined} quarantined | units {units or 'none'} | masters {c.masters} "
            f"references {c.reference_images} differences {c.differences} | "
            f"alerts released {c.released} acknowledged {c.acknowledged}{consumed}{waits}"
        )

    def __rich__(self) -> RenderableType:
        """Return the whole view."""
        head = Text.assemble(
            (self.title, "bold"), "   ", (_clock(self.elapsed_s), "cyan"), "   ", (self.phase, "bold green")
        )
        body: list[RenderableType] = [head]
        body += [Text(f"The night waits: {why}", style="bold red") for why in self.waits]
        if self.glance.counts:
            body += [
                Columns([self._files(), self._units(), self._exposures(), self._products()], padding=(0, 3)),
                self._events(),
            ]
        else:
            body.append(Group(*(Text(f"  {note}", style="dim") for note in self.notes)))
        return Panel(Group(*body), border_style="blue", title="Nightshift", title_align="left")

    def _files(self) -> Table:
        c = self.glance.numbers
        table = _counts("files")
        table.add_row("sent", f"{self.played}/{self.files}")
        for name in ("arrived", "registered", "repeated", "quarantined"):
            _row(table, name, getattr(c, name), bad=name == "quarantined")
        return table

    def _units(self) -> Table:
        table = _counts("units")
        for state, number in self.glance.units.items():
            _row(table, state, number, bad=state in ("failed", "missing", "held"))
        return table

    def _exposures(self) -> Table:
        table = _counts("exposures")
        for (kind, state), number in self.glance.exposures.items():
            table.add_row(f"{kind} {state}", str(number))
        return table

    def _products(self) -> Table:
        c = self.glance.numbers
        table = _counts("made and sent")
        table.add_row("masters", str(c.masters))
        table.add_row("references", str(c.reference_images))
        table.add_row("differences", str(c.differences))
        table.add_row("alerts released", str(c.released))
        table.add_row("acknowledged", str(c.acknowledged))
        if self.consumed is not None:
            table.add_row("consumed", str(self.consumed))
        table.add_row("tracklets", str(c.tracklets))
        return table

    def _events(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for event in reversed(self.glance.events):
            style = LEVEL_STYLES[event.level]
            table.add_row(f"{event.at:%H:%M:%S}", Text(event.level, style=style), Text(event.message, style=style))
        return table


def _counts(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    return table


def _row(table: Table, name: str, number: int, *, bad: bool) -> None:
    table.add_row(name, str(number), style="red" if bad and number else "")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
