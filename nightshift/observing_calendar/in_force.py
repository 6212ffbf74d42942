"""What the calendar says of one instrument at one moment."""

from dataclasses import dataclass
from datetime import datetime

from nightshift.clock import Clock
from nightshift.ledger import Ledger
from nightshift.ledger.queries import calendar as calendar_queries
from nightshift.ledger.queries.calendar import EntryInForce
from nightshift.settings import Survey
from nightshift.vocabulary import CalendarKind, EventLevel, Reason

__all__ = ["InForce", "SetAside", "expect_anew", "in_force"]


@dataclass(frozen=True)
class SetAside:
    """Why a frame is kept and not reduced."""

    entry_id: int
    reason: Reason
    detail: str


@dataclass(frozen=True)
class InForce:
    """What holds for an instrument at a moment.

    Parameters
    ----------
    survey : Survey
        Of the instrument.
    entries : tuple of EntryInForce
    """

    survey: Survey
    entries: tuple[EntryInForce, ...]

    @property
    def detectors(self) -> list[int]:
        """The detectors that an exposure of then waits for."""
        return [each for each in self.survey.camera.detector_ids if self._out_of_service(each) is None]

    @property
    def is_downtime(self) -> bool:
        """Whether nothing is expected because the dome is closed."""
        return any(entry.kind is CalendarKind.DOWNTIME for entry in self.entries)

    def set_aside(self, detector: int) -> SetAside | None:
        """Return why a frame of a detector is kept and not reduced; None where it is reduced as always."""
        engineering = next((e for e in self.entries if e.kind is CalendarKind.ENGINEERING), None)
        if engineering is not None:
            return SetAside(engineering.entry_id, Reason.ENGINEERING_TIME, engineering.reason)
        out = self._out_of_service(detector)
        return None if out is None else SetAside(out.entry_id, Reason.OUT_OF_SERVICE, out.reason)

    def say(self, ledger: Ledger, clock: Clock, detector: int) -> None:
        """Say of each entry once that frames come although it holds."""
        camera = self.survey.camera
        for entry in self.entries:
            if entry.detector not in (None, detector):
                continue
            if calendar_queries.mark_said(ledger, site=self.survey.site.name, entry_id=entry.entry_id):
                ledger.event(
                    EventLevel.INFO, "frames_despite_calendar",
                    f"Frames of {camera.instrument}, detector {detector}, come in what the calendar calls "
                    f"{WORDS[entry.kind]} ({entry.reason}): {TREATED[entry.kind]}. If the calendar is wrong: "
                    f"nightshift calendar end {entry.entry_id} --reason ...",
                    subject=f"{camera.instrument}/d{detector:02d}", night_time=clock.now(), entry=entry.entry_id,
                )  # fmt: skip

    def _out_of_service(self, detector: int) -> EntryInForce | None:
        out = (entry for entry in self.entries if entry.kind is CalendarKind.OUT_OF_SERVICE)
        return next((entry for entry in out if entry.detector in (None, detector)), None)


WORDS = {
    CalendarKind.OUT_OF_SERVICE: "out of service",
    CalendarKind.ENGINEERING: "engineering time",
    CalendarKind.DOWNTIME: "downtime",
}
TREATED = {
    CalendarKind.OUT_OF_SERVICE: "they are registered and archived, and not reduced",
    CalendarKind.ENGINEERING: "they are registered and archived, and not reduced",
    CalendarKind.DOWNTIME: "they are reduced as always",
}


def in_force(ledger: Ledger, survey: Survey, moment: datetime) -> InForce:
    """Return what the calendar says of an instrument at a moment (aware)."""
    rows = calendar_queries.in_force(
        ledger, site=survey.site.name, instrument=survey.camera.instrument, moment=moment
    )
    return InForce(survey, tuple(rows))


def expect_anew(ledger: Ledger, survey: Survey) -> int:
    """Have exposures that are still waited for expect what is in service at their time; return how many changed."""
    camera = survey.camera
    return calendar_queries.expect_anew(ledger, instrument=camera.instrument, detectors=list(camera.detector_ids))
