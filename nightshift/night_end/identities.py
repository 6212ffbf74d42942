"""The identities by which a night closes to zero: plain tables in, sums with their members out.

    sent           = received intact + corrupt + missing
    arrivals       = registered + duplicate + conflicting + quarantined
    frames         = reduced + in a master + kept out + archived only + invalid
    expected units = processed + rejected + failed + missing + held

Each total is counted apart from its parts, and each part by what the ledger can show for it: a frame that says
"registered" without its row, or a unit that is still running, is in no part, and the identity does not close.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nightshift.ledger.queries.night_end import (
    ArrivalOfNight,
    ArrivalOnManifest,
    CalibrationUse,
    FrameOfNight,
    ManifestEntry,
    UnitOfNight,
)
from nightshift.vocabulary import Disposition, ImageType, Reason, UnitState

__all__ = [
    "Identity",
    "Member",
    "account_arrivals",
    "account_frames",
    "account_sent",
    "account_units",
]

SHOWN = 1000  # members of one part that a summary lists; the count is always of all
UNIT_ENDS = (UnitState.PROCESSED, UnitState.REJECTED, UnitState.FAILED, UnitState.MISSING, UnitState.HELD)
SET_ASIDE = (Reason.OUT_OF_SERVICE, Reason.ENGINEERING_TIME)  # by the calendar: nothing is wrong with the frame
CALIBRATIONS = (ImageType.BIAS, ImageType.DARK, ImageType.FLAT)


@dataclass(frozen=True, order=True)
class Member:
    """One member of a part.

    Parameters
    ----------
    subject : str
        File name, frame or unit.
    reason : str
        The reason code; empty where all is well.
    detail : str
    """

    subject: str
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Identity:
    """One sum of the night.

    Parameters
    ----------
    name : str
        What is summed.
    total : int
        Counted apart from the parts.
    parts : dict of str to tuple of Member
        Disjoint, in the order of the sum. The first part is the one that is hoped for.
    open : tuple of Member
        What is in no part, each with what is wrong in `detail`.
    """

    name: str
    total: int
    parts: Mapping[str, tuple[Member, ...]]
    open: tuple[Member, ...] = field(default=())

    @property
    def closes(self) -> bool:
        """Whether the parts sum to the total and nothing is left over."""
        return not self.open and self.total == sum(len(members) for members in self.parts.values())

    def counts(self) -> dict[str, int]:
        """Return the size of each part."""
        return {name: len(members) for name, members in self.parts.items()}

    def reasons(self, part: str) -> dict[str, int]:
        """Return how many members of a part have each reason, most frequent first."""
        return dict(Counter(m.reason for m in self.parts[part] if m.reason).most_common())

    def __str__(self) -> str:
        sum_of = " + ".join(f"{name} {count}" for name, count in self.counts().items())
        left = f", {len(self.open)} in none of these" if self.open else ""
        return f"{self.name} {self.total} = {sum_of}{left}"

    def imbalance(self) -> list[str]:
        """Return in words why the identity does not close; empty where it does."""
        if self.closes:
            return []
        why = Counter(m.detail for m in self.open)
        example = {m.detail: m.subject for m in reversed(self.open)}
        lines = [f"{self.name}: {count} {detail} (first: {example[detail]})" for detail, count in why.most_common()]
        return lines or [f"{self.name}: the parts do not sum to the total: {self}"]

    def to_json(self) -> dict[str, Any]:
        """Return the plain table that the ledger keeps: counts and reasons, and the members that need one."""
        return {
            "total": self.total,
            "closes": self.closes,
            "parts": {
                name: {
                    "count": len(members),
                    "reasons": dict(sorted(self.reasons(name).items())),
                    "members": [[m.subject, m.reason] for m in members if m.reason][:SHOWN],
                }
                for name, members in self.parts.items()
            },
            "open": [[m.subject, m.detail] for m in self.open][:SHOWN],
        }


def _identity(name: str, total: int, part_names: Iterable[str], members: Iterable[tuple[str, Member]]) -> Identity:
    """Sort members into parts; a member of no part (empty name) is left over."""
    parts: dict[str, list[Member]] = {part: [] for part in part_names}
    left: list[Member] = []
    for part, member in members:
        (parts[part] if part else left).append(member)
    return Identity(name, total, {part: tuple(sorted(m)) for part, m in parts.items()}, tuple(sorted(left)))


# --- sent ----------------------------------------------------------------------------------------------------


def account_sent(entries: Iterable[ManifestEntry], arrivals: Iterable[ArrivalOnManifest]) -> Identity:
    """Compare what the mountain sent with what came.

    Parameters
    ----------
    entries : rows with file_name, sha256
        Of the night's manifest; a name is there once.
    arrivals : rows with inbox_name, sha256, disposition, reason
        In the order in which they came.

    Returns
    -------
    Identity
        One intact copy outweighs any number of bad ones; a name of which only bad copies came is corrupt,
        with the reason of the last.
    """
    by_name: dict[str, list[ArrivalOnManifest]] = {}
    for arrival in arrivals:
        by_name.setdefault(arrival.inbox_name, []).append(arrival)
    listed = list(entries)
    return _identity(
        "files sent",
        len(listed),
        ("received intact", "corrupt", "missing"),
        (_what_came(entry, by_name.get(entry.file_name, [])) for entry in listed),
    )


def _what_came(entry: ManifestEntry, came: list[ArrivalOnManifest]) -> tuple[str, Member]:
    name = entry.file_name
    if not came:
        return "missing", Member(name, Reason.NEVER_ARRIVED)
    usable = (Disposition.REGISTERED, Disposition.DUPLICATE)
    if any(a.disposition in usable and a.sha256 == entry.sha256 for a in came):
        return "received intact", Member(name)
    bad = [a for a in came if a.disposition not in usable]
    reason = (bad[-1].reason if bad and len(bad) == len(came) else None) or Reason.MANIFEST_MISMATCH
    return "corrupt", Member(name, reason)


# --- arrivals ------------------------------------------------------------------------------------------------


def account_arrivals(arrivals: Iterable[ArrivalOfNight]) -> Identity:
    """Sum up what came.

    Parameters
    ----------
    arrivals : iterable of ArrivalOfNight

    Returns
    -------
    Identity
        A registered frame must have its row among the raw frames, and a quarantined file its row in quarantine.
    """
    came = list(arrivals)
    return _identity("arrivals", len(came), list(Disposition), (_disposition(a) for a in came))


def _disposition(arrival: ArrivalOfNight) -> tuple[str, Member]:
    disposition, name = arrival.disposition, arrival.inbox_name
    if disposition is Disposition.REGISTERED and arrival.exposure_id is not None and not arrival.has_frame:
        return "", Member(name, detail="registered without a raw frame in the ledger")
    if disposition is Disposition.QUARANTINED and not arrival.has_quarantine:
        return "", Member(name, detail="called quarantined and not in quarantine")
    return disposition, Member(name, arrival.reason or "")


# --- registered frames -----------------------------------------------------------------------------------------


def account_frames(
    frames: Iterable[FrameOfNight],
    uses: Mapping[tuple[str, str, int], CalibrationUse],
    kinds: Mapping[str, Iterable[str]],
) -> Identity:
    """Give every registered raw frame its end, calibrations too.

    Parameters
    ----------
    frames : iterable of FrameOfNight
    uses : dict of (instrument, exposure_id, detector) to CalibrationUse
        What the masters made of the calibration frames.
    kinds : dict of str to iterable of str
        The kinds of master that are built for each instrument; frames of another are archived and no more.
    """
    listed = list(frames)
    wanted = {instrument: set(names) for instrument, names in kinds.items()}
    return _identity(
        "registered frames",
        len(listed),
        ("for reduction", "in a master", "kept out of a master", "archived only", "invalid"),
        (_end_of_frame(f, uses.get((f.instrument, f.exposure_id, f.detector)), wanted[f.instrument]) for f in listed),
    )


def _end_of_frame(frame: FrameOfNight, use: CalibrationUse | None, kinds: set[str]) -> tuple[str, Member]:
    name, image_type = frame.inbox_name, frame.image_type
    if frame.invalid_reason in SET_ASIDE:
        return "archived only", Member(name, frame.invalid_reason)
    if frame.invalid_reason:
        return "invalid", Member(name, frame.invalid_reason)
    if image_type is ImageType.SCIENCE:
        return "for reduction", Member(name)
    if image_type not in CALIBRATIONS or image_type not in kinds:
        return "archived only", Member(name)
    if use is None:
        return "", Member(name, detail=f"of type {image_type} looked at by no master")
    if use.accepted:
        return "in a master", Member(name)
    return "kept out of a master", Member(name, use.reason or "")


# --- units -----------------------------------------------------------------------------------------------------


def account_units(
    expected: Iterable[str], unseen: Mapping[str, tuple[str, Member]], units: Iterable[UnitOfNight]
) -> Identity:
    """Sum up the ends of the units that the night should have had.

    Parameters
    ----------
    expected : iterable of str
        Unit keys that follow from the manifest and from the registered frames.
    unseen : dict of str to (state, Member)
        The end of those that the ledger cannot hold, because nothing of their exposure ever came.
    units : iterable of UnitOfNight
        Of the ledger. A unit that was not expected counts as well: nothing that was begun is left out.
    """
    rows = {unit.unit_key: unit for unit in units}
    keys = set(expected) | set(unseen) | set(rows)
    return _identity(
        "expected units",
        len(keys),
        list(UNIT_ENDS),
        (_end_of_unit(key, rows.get(key), unseen.get(key)) for key in sorted(keys)),
    )


def _end_of_unit(key: str, row: UnitOfNight | None, end: tuple[str, Member] | None) -> tuple[str, Member]:
    if row is None:
        return end or ("", Member(key, detail="never planned"))
    if not row.state.ended:
        return "", Member(key, detail=f"still {row.state}")
    return row.state, Member(key, row.reason or "", row.detail)
