"""Account for a night: give an end to what never came, and see whether the identities close."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from nightshift.context import Context
from nightshift.ingest.naming import one_exposure
from nightshift.keys import LIVE, FrameKey, UnitKey
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries.night_end import FrameOfNight, Manifest
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
    ledger, site = context.ledger, context.site.name
    with ledger.transaction():
        night_row(context, night)
        night_end_queries.lock_night(ledger, subject=night_text(context.site, night))
        _apply_manifest(context, night)
        if night_end_queries.revive_units(ledger, site=site, night=night, file_reasons=list(map(str, FILE_REASONS))):
            night_end_queries.reopen_exposures(ledger, site=site, night=night, campaign=LIVE)
        _put_ends(context, _unseen_units(context, night, _sent(context, night)))
        books = read_accounts(context, night)
        night_end_queries.put_summary(ledger, site=site, night=night, summary=books.to_json())
        for own in context.instruments():
            note_model(own)
    return books


def read_accounts(context: Context, night: date) -> Accounts:
    """Count a night as it stands and change nothing."""
    ledger, site = context.ledger, context.site.name
    manifests = night_end_queries.manifests(ledger, site=site, night=night)
    entries = night_end_queries.manifest_entries(ledger, site=site, night=night)
    frames = night_end_queries.frames_of_night(ledger, site=site, night=night)
    units = night_end_queries.units_of_night(ledger, site=site, night=night, tier=Tier.PROCESSED, campaign=LIVE)
    uses = {
        (use.instrument, use.exposure_id, use.detector): use
        for use in night_end_queries.calibration_uses(ledger, site=site, night=night, campaign=LIVE)
    }
    sent = _sent(context, night)
    expected = {
        str(key)
        for f in frames
        if f.image_type is ImageType.SCIENCE
        for key in _units_of(context, FrameKey(f.instrument, f.exposure_id, f.detector))
    }
    unseen = _unseen_units(context, night, sent)
    ends = {str(u.unit): (u.state, u.end) for u in unseen}
    listed = {entry.file_name for entry in entries}
    unlisted = (frame.inbox_name for frame in frames if frame.inbox_name not in listed)
    arrivals = night_end_queries.arrivals_of_night(ledger, site=site, night=night)
    late = night_end_queries.late_frames(ledger, site=site, night=night, subject=night_text(context.site, night))
    kinds = {survey.camera.instrument: survey.calibration.kinds for survey in context.deployment.surveys}
    return Accounts(
        site=context.site.name,
        night=night,
        sent=sent,
        arrivals=account_arrivals(arrivals),
        frames=account_frames(frames, uses, kinds),
        units=account_units(expected, ends, units),
        unlisted=tuple(Member(name, Reason.NOT_ON_MANIFEST) for name in sorted(unlisted)) if manifests else (),
        late=tuple(Member(frame.inbox_name, Reason.CAME_LATE) for frame in late),
        duplicates=tuple(a.inbox_name for a in arrivals if a.disposition is Disposition.DUPLICATE),
        unknown_kind=tuple(sorted({u.file.subject for u in unseen if u.image_type is None})),
        parts_missing=_parts_missing(manifests),
        has_manifest=bool(manifests),
        synthetic=bool(manifests) and all(part.synthetic for part in manifests),
    )


def _units_of(context: Context, frame: FrameKey) -> Iterator[UnitKey]:
    """Give the units of one detector's file."""
    for quadrant in context.deployment.survey_of(frame.instrument).camera.quadrant_ids:
        yield UnitKey(frame.instrument, frame.exposure_id, frame.detector, quadrant)


def _apply_manifest(context: Context, night: date) -> None:
    """Invalidate what was made from content that the mountain did not send, and restore it on a correction."""
    ledger, site = context.ledger, context.site.name
    marked = night_end_queries.mark_mismatches(ledger, site=site, night=night)
    night_end_queries.unmark_mismatches(ledger, site=site, night=night)
    rejected = night_end_queries.reject_units_of_mismatches(ledger, site=site, night=night)
    night_end_queries.restore_units_of_mismatches(ledger, site=site, night=night)
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
    ledger, site = context.ledger, context.site.name
    return account_sent(
        night_end_queries.manifest_entries(ledger, site=site, night=night),
        night_end_queries.arrivals_on_manifest(ledger, site=site, night=night),
    )


def _unseen_units(context: Context, night: date, sent: Identity) -> list[_Unseen]:
    """Give an end to each science unit whose file is on the manifest and not registered.

    A file that came and went to quarantine makes its units failed, with the quarantine's reason; one that never
    came makes them missing.
    """
    return [unseen for own in context.instruments() for unseen in _unseen_of_instrument(own, night, sent)]


def _unseen_of_instrument(context: Context, night: date, sent: Identity) -> list[_Unseen]:
    survey, instrument = context.survey, context.survey.camera.instrument
    ledger, site = context.ledger, survey.site.name
    frames = night_end_queries.frames_of_night(ledger, site=site, night=night)
    registered = {frame.inbox_name for frame in frames}
    by_header = _ids_by_names(context, frames)
    known = {
        exposure.exposure_id: exposure
        for exposure in night_end_queries.exposure_types(ledger, site=site, night=night)
        if exposure.instrument == instrument
    }
    found = []
    for part, state in (("missing", UnitState.MISSING), ("corrupt", UnitState.FAILED)):
        for file in sent.parts[part]:
            frame = None if file.subject in registered else frame_of_name(file.subject, survey.camera, night)
            if frame is None:
                continue
            of_name = one_exposure(file.subject, survey.camera)
            exposure_id = frame.exposure_id or by_header.get(of_name, of_name)
            exposure = known.get(exposure_id)
            image_type = exposure.image_type if exposure else frame.image_type
            if image_type not in (ImageType.SCIENCE, None):
                continue
            key = FrameKey(instrument, exposure_id, frame.detector)
            end, why = state, file
            if exposure and frame.detector not in exposure.detectors_expected:
                end, why = UnitState.REJECTED, replace(file, reason=Reason.OUT_OF_SERVICE)
            found += [_Unseen(unit, end, why, image_type, exposure is not None) for unit in _units_of(context, key)]
    return found


def _ids_by_names(context: Context, frames: list[FrameOfNight]) -> dict[str, str]:
    """Return the ids of a night's exposures by what the names of their files have in common.

    Where an id is made of header values, a file that never came has that of the exposure's other files.
    """
    camera = context.survey.camera
    if HEADER not in camera.file_names.id_needs:
        return {}
    return {one_exposure(frame.inbox_name, camera): frame.exposure_id for frame in frames}


def _put_ends(context: Context, unseen: list[_Unseen]) -> None:
    """Give their rows to the units that never came, where their exposure has one."""
    for u in unseen:
        if u.exposure_known:
            night_end_queries.put_ended_unit(
                context.ledger,
                instrument=u.unit.instrument, exposure_id=u.unit.exposure_id, detector=u.unit.detector,
                quadrant=u.unit.quadrant, tier=u.unit.tier, campaign=u.unit.campaign, unit_key=str(u.unit),
                state=u.state, reason=u.file.reason, detail=u.file.subject,
                file_reasons=list(map(str, FILE_REASONS)),
            )  # fmt: skip


def _parts_missing(manifests: list[Manifest]) -> tuple[int, ...]:
    """Return the parts that the manifests announce and that are not among them."""
    announced = max((manifest.parts for manifest in manifests), default=0)
    return tuple(sorted(set(range(1, announced + 1)) - {manifest.part for manifest in manifests}))
