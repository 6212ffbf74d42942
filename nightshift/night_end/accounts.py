"""Account for a night: give an end to what never came, and see whether the identities close."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from nightshift.context import Context
from nightshift.ingest.naming import one_exposure
from nightshift.keys import LIVE, UnitKey
from nightshift.night_end.identities import (
    Identity,
    Member,
    account_arrivals,
    account_frames,
    account_sent,
    account_units,
)
from nightshift.night_end.named_frames import frame_of_name
from nightshift.night_end.night_rows import night_row, night_text
from nightshift.realbogus.retraining import note_model
from nightshift.settings.exposure_ids import HEADER
from nightshift.vocabulary import Disposition, EventLevel, ImageType, Reason, Tier, UnitState

__all__ = ["Accounts", "account", "read_accounts"]

FILE_REASONS = tuple(Reason)[: tuple(Reason).index(Reason.NEVER_ARRIVED) + 1]  # ends that a better copy undoes


@dataclass(frozen=True)
class Accounts:
    """The books of one night.

    Parameters
    ----------
    site : str
    night : date
    sent, arrivals, frames, units : Identity
        See `nightshift.night_end.identities`.
    unlisted : tuple of Member
        Registered files that no manifest names: accounted for, and worth a question to the mountain.
    late : tuple of Member
        Registered files that came after the night had been closed.
    duplicates : tuple of str
        Names that came again with the same content.
    unknown_kind : tuple of str
        Files never seen of which not even the name says what they were; counted as science.
    parts_missing : tuple of int
        Parts of the manifest that were announced and never came.
    has_manifest, synthetic : bool
        Whether there is a manifest at all, and whether it was made here rather than on the mountain.
    """

    site: str
    night: date
    sent: Identity
    arrivals: Identity
    frames: Identity
    units: Identity
    unlisted: tuple[Member, ...]
    late: tuple[Member, ...]
    duplicates: tuple[str, ...]
    unknown_kind: tuple[str, ...]
    parts_missing: tuple[int, ...]
    has_manifest: bool
    synthetic: bool

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The sums, in the order in which a frame meets them."""
        return (self.sent, self.arrivals, self.frames, self.units)

    @property
    def imbalances(self) -> list[str]:
        """Why the night does not close, in words; empty where it does."""
        lines = [line for identity in self.identities for line in identity.imbalance()]
        if not self.has_manifest:
            lines.append("no manifest came: what the mountain sent is not known")
        lines += [f"part {part} of the manifest never came" for part in self.parts_missing]
        return lines

    @property
    def closes(self) -> bool:
        """Whether everything is accounted for, each with its reason."""
        return not self.imbalances

    def to_json(self) -> dict[str, Any]:
        """Return the plain table that the ledger keeps with the night."""
        return {
            "schema": "nightshift.accounts/1",
            "closes": self.closes,
            "imbalances": self.imbalances,
            "synthetic_manifest": self.synthetic,
            "identities": {i.name: i.to_json() for i in self.identities},
            "unlisted": [member.subject for member in self.unlisted[:1000]],
            "late": [member.subject for member in self.late[:1000]],
            "unknown_kind": list(self.unknown_kind[:1000]),
        }


def account(context: Context, night: date) -> Accounts:
    """Account for a night and keep the result with it. May run again at any time.

    Frames whose content is not what the manifest says are marked invalid, and their units rejected; units
    whose file never came become missing; units whose file came after all become due again.

    Parameters
    ----------
    context : Context
    night : date
        The date of its evening.

    Returns
    -------
    Accounts
    """
    key = {"site": context.site.name, "night": night}
    ledger = context.ledger
    with ledger.transaction():
        night_row(context, night)
        ledger.row("night_end", "lock_night", subject=night_text(context.site, night))
        _apply_manifest(context, night)
        if ledger.run("night_end", "revive_units", **key, file_reasons=list(map(str, FILE_REASONS))):
            ledger.run("night_end", "reopen_exposures", **key, campaign=LIVE)
        _put_ends(context, _unseen_units(context, night, _sent(context, night)))
        books = read_accounts(context, night)
        ledger.run("night_end", "put_summary", **key, summary=books.to_json())
        for own in context.instruments():
            note_model(own)
    return books


def read_accounts(context: Context, night: date) -> Accounts:
    """Count a night as it stands and change nothing."""
    key = {"site": context.site.name, "night": night}
    ledger = context.ledger
    manifests = ledger.rows("night_end", "manifests", **key)
    entries = ledger.rows("night_end", "manifest_entries", **key)
    frames = ledger.rows("night_end", "frames_of_night", **key)
    uses = {
        (u["instrument"], u["exposure_id"], u["detector"]): u
        for u in ledger.rows("night_end", "calibration_uses", **key, campaign=LIVE)
    }
    sent = _sent(context, night)
    expected = {str(k) for f in frames if f["image_type"] == ImageType.SCIENCE for k in _units_of(context, f)}
    unseen = _unseen_units(context, night, sent)
    ends = {str(u.unit): (u.state, u.end) for u in unseen}
    listed = {e["file_name"] for e in entries}
    unlisted = (f["inbox_name"] for f in frames if f["inbox_name"] not in listed)
    arrivals = ledger.rows("night_end", "arrivals_of_night", **key)
    late = ledger.rows("night_end", "late_frames", subject=night_text(context.site, night), **key)
    kinds = {survey.camera.instrument: survey.calibration.kinds for survey in context.deployment.surveys}
    return Accounts(
        site=context.site.name,
        night=night,
        sent=sent,
        arrivals=account_arrivals(arrivals),
        frames=account_frames(frames, uses, kinds),
        units=account_units(
            expected, ends, ledger.rows("night_end", "units_of_night", **key, tier=Tier.PROCESSED, campaign=LIVE)
        ),
        unlisted=tuple(Member(name, Reason.NOT_ON_MANIFEST) for name in sorted(unlisted)) if manifests else (),
        late=tuple(Member(row["inbox_name"], Reason.CAME_LATE) for row in late),
        duplicates=tuple(a["inbox_name"] for a in arrivals if a["disposition"] == Disposition.DUPLICATE),
        unknown_kind=tuple(sorted({u.file.subject for u in unseen if u.image_type is None})),
        parts_missing=_parts_missing(manifests),
        has_manifest=bool(manifests),
        synthetic=bool(manifests) and all(m["synthetic"] for m in manifests),
    )


def _units_of(context: Context, frame: dict[str, Any]) -> Iterator[UnitKey]:
    """Give the units of one detector's file."""
    for quadrant in context.deployment.survey_of(frame["instrument"]).camera.quadrant_ids:
        yield UnitKey(frame["instrument"], frame["exposure_id"], frame["detector"], quadrant)


def _apply_manifest(context: Context, night: date) -> None:
    """Invalidate what was made from content that the mountain did not send, and restore it on a correction."""
    key = {"site": context.site.name, "night": night}
    ledger = context.ledger
    marked = ledger.run("night_end", "mark_mismatches", **key)
    ledger.run("night_end", "unmark_mismatches", **key)
    rejected = ledger.run("night_end", "reject_units_of_mismatches", **key)
    ledger.run("night_end", "restore_units_of_mismatches", **key)
    if marked:
        ledger.event(
            EventLevel.WARNING, "manifest_mismatch",
            f"{marked} registered files differ from what the manifest says was sent; {rejected} units made from "
            "them are rejected. Ask the mountain to send the files again.",
            subject=night_text(context.site, night), night_time=context.clock.now(),
        )  # fmt: skip


@dataclass(frozen=True)
class _Unseen:
    """A unit whose file is on the manifest and not among the raw frames."""

    unit: UnitKey
    state: UnitState
    file: Member
    image_type: ImageType | None  # None: neither the exposure nor the name tells
    exposure_known: bool  # another detector's file came, so that the ledger can hold the unit

    @property
    def end(self) -> Member:
        return Member(str(self.unit), self.file.reason, self.file.subject)


def _sent(context: Context, night: date) -> Identity:
    key = {"site": context.site.name, "night": night}
    return account_sent(
        context.ledger.rows("night_end", "manifest_entries", **key),
        context.ledger.rows("night_end", "arrivals_on_manifest", **key),
    )


def _unseen_units(context: Context, night: date, sent: Identity) -> list[_Unseen]:
    """Give an end to each science unit whose file is on the manifest and not registered.

    A file that came and went to quarantine makes its units failed, with the quarantine's reason; one that never
    came makes them missing.
    """
    return [unseen for own in context.instruments() for unseen in _unseen_of_instrument(own, night, sent)]


def _unseen_of_instrument(context: Context, night: date, sent: Identity) -> list[_Unseen]:
    survey, instrument = context.survey, context.survey.camera.instrument
    key = {"site": survey.site.name, "night": night}
    frames = context.ledger.rows("night_end", "frames_of_night", **key)
    registered = {f["inbox_name"] for f in frames}
    by_header = _ids_by_names(context, frames)
    known = {
        e["exposure_id"]: ImageType(e["image_type"])
        for e in context.ledger.rows("night_end", "exposure_types", **key)
        if e["instrument"] == instrument
    }
    found = []
    for part, state in (("missing", UnitState.MISSING), ("corrupt", UnitState.FAILED)):
        for file in sent.parts[part]:
            frame = None if file.subject in registered else frame_of_name(file.subject, survey.camera, night)
            if frame is None:
                continue
            of_name = one_exposure(file.subject, survey.camera)
            exposure_id = frame.exposure_id or by_header.get(of_name, of_name)
            image_type = known.get(exposure_id, frame.image_type)
            if image_type not in (ImageType.SCIENCE, None):
                continue
            row = {"instrument": instrument, "exposure_id": exposure_id, "detector": frame.detector}
            found += [
                _Unseen(unit, state, file, image_type, exposure_id in known) for unit in _units_of(context, row)
            ]
    return found


def _ids_by_names(context: Context, frames: list[dict[str, Any]]) -> dict[str, str]:
    """Return the ids of a night's exposures by what the names of their files have in common.

    Where an id is made of header values, a file that never came has that of the exposure's other files.
    """
    camera = context.survey.camera
    if HEADER not in camera.file_names.id_needs:
        return {}
    return {one_exposure(f["inbox_name"], camera): f["exposure_id"] for f in frames}


def _put_ends(context: Context, unseen: list[_Unseen]) -> None:
    """Give their rows to the units that never came, where their exposure has one."""
    for u in unseen:
        if u.exposure_known:
            context.ledger.run(
                "night_end", "put_ended_unit",
                instrument=u.unit.instrument, exposure_id=u.unit.exposure_id, detector=u.unit.detector,
                quadrant=u.unit.quadrant, tier=u.unit.tier, campaign=u.unit.campaign, unit_key=str(u.unit),
                state=u.state, reason=u.file.reason, detail=u.file.subject,
                file_reasons=list(map(str, FILE_REASONS)),
            )  # fmt: skip


def _parts_missing(manifests: list[dict[str, Any]]) -> tuple[int, ...]:
    """Return the parts that the manifests announce and that are not among them."""
    announced = max((m["parts"] for m in manifests), default=0)
    return tuple(sorted(set(range(1, announced + 1)) - {m["part"] for m in manifests}))
