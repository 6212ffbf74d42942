"""The live view of a night: a panel on a terminal, a line every few seconds elsewhere."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nightshift.ledger import Ledger
from nightshift.ledger.queries import watch
from nightshift.vocabulary import EventLevel, NightState

__all__ = ["Glance", "NightView", "take_glance", "together"]

LEVEL_STYLES = {
    EventLevel.INFO: "",
    EventLevel.WARNING: "yellow",
    EventLevel.ERROR: "red",
    EventLevel.PAGE: "bold red",
}
LINE_EVERY_S = 5.0
EVENTS = 8
OPEN_STATES = ("", NightState.OPEN, NightState.CLOSING)


@dataclass(frozen=True)
class Glance:
    """What the ledger says of a night at one moment.

    Parameters
    ----------
    counts : dict
        The columns of query ``glance``; empty while the night has no row.
    units : dict of str to int
        Units of science exposures by state.
    exposures : dict of (str, str) to int
        Exposures by image type and state.
    events : list of dict
        The latest, newest first.
    waits : list of str
        What the night waits for: storage that is full, read-only or not mounted.
    """

    counts: dict[str, Any] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    exposures: dict[tuple[str, str], int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)

    @property
    def progress(self) -> tuple[object, ...]:
        """What changes while the night goes on; equal twice means that nothing happened between."""
        return (tuple(sorted(self.counts.items(), key=str)), tuple(self.units.items()), self.latest_event,
                tuple(self.exposures.items()))  # fmt: skip

    @property
    def latest_event(self) -> int:
        """The number of the latest event; 0 before the first."""
        return self.events[0]["event_id"] if self.events else 0


def together(glances: Sequence[Glance]) -> Glance:
    """Return what several sites' glances of one night show as one: sums, and the night that is farthest from its end.

    The night's state is that of the first site that has not ended; the mail is sent when each site's is.
    """
    if len(glances) == 1:
        return glances[0]
    counts = [glance.counts for glance in glances]
    numbers = Counter[str]()
    for own in counts:
        numbers.update({key: value for key, value in own.items() if isinstance(value, int)})
    states = [own.get("night_state", "") for own in counts]
    sent = [own.get("mail_sent_at") for own in counts]
    last = next((state for state in (*OPEN_STATES, NightState.UNBALANCED) if state in states), NightState.CLOSED)
    return Glance(
        {**numbers, "night_state": last, "mail_sent_at": None if None in sent else max(filter(None, sent))},
        dict(sum((Counter(glance.units) for glance in glances), Counter[str]())),
        dict(sum((Counter(glance.exposures) for glance in glances), Counter[tuple[str, str]]())),
        glances[0].events,
        glances[0].waits,
    )


def take_glance(ledger: Ledger, site: str, night: date) -> Glance:
    """Ask the ledger how the night stands."""
    whose = {"site": site, "night": night}
    return Glance(
        ledger.row("stack", "glance", **whose) or {},
        {row["state"]: row["units"] for row in ledger.rows("stack", "units_by_state", **whose)},
        {
            (row["image_type"], row["state"]): row["exposures"]
            for row in ledger.rows("stack", "exposures_by_state", **whose)
        },
        ledger.rows("stack", "latest_events", most=EVENTS),
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
            if event["event_id"] > known and event["level"] != EventLevel.INFO:
                self.note(f"{event['level']}: {event['message']}")
        if time.monotonic() - self._line_at > LINE_EVERY_S:
            self._line_at = time.monotonic()
            self.console.print(self.line(), highlight=False, markup=False, soft_wrap=True)

    def line(self) -> str:
        """Return the night as one line."""
        c = self.glance.counts
        units = " ".join(f"{state} {n}" for state, n in self.glance.units.items())
        consumed = "" if self.consumed is None else f" consumed {self.consumed}"
        waits = "".join(f" | WAITS: {why}" for why in self.waits)
        return (
            f"{_clock(self.elapsed_s)}  files {self.played}/{self.files} in, {c.get('registered', 0)} registered, "
            f"{c.get('quarantined', 0)} quarantined | units {units or 'none'} | masters {c.get('masters', 0)} "
            f"references {c.get('reference_images', 0)} differences {c.get('differences', 0)} | "
            f"alerts released {c.get('released', 0)} acknowledged {c.get('acknowledged', 0)}{consumed}{waits}"
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
        c = self.glance.counts
        table = _counts("files")
        table.add_row("sent", f"{self.played}/{self.files}")
        for name in ("arrived", "registered", "repeated", "quarantined"):
            _row(table, name, c.get(name, 0), bad=name == "quarantined")
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
        c = self.glance.counts
        table = _counts("made and sent")
        table.add_row("masters", str(c.get("masters", 0)))
        table.add_row("references", str(c.get("reference_images", 0)))
        table.add_row("differences", str(c.get("differences", 0)))
        table.add_row("alerts released", str(c.get("released", 0)))
        table.add_row("acknowledged", str(c.get("acknowledged", 0)))
        if self.consumed is not None:
            table.add_row("consumed", str(self.consumed))
        table.add_row("tracklets", str(c.get("tracklets", 0)))
        return table

    def _events(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for event in reversed(self.glance.events):
            style = LEVEL_STYLES.get(event["level"], "")
            table.add_row(
                f"{event['at']:%H:%M:%S}", Text(event["level"], style=style), Text(event["message"], style=style)
            )
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
