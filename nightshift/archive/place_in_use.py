"""The place of second copies that the settings name, and whether it can be used.

It carries a marker whose content the ledger knows, as the depot does: an empty mount point, or a new bucket of the
same name, is not the place.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path

from nightshift.archive.bucket_place import BucketPlace
from nightshift.archive.copy_place import CopyPlace, Gone, NotTheFile, PlaceAway
from nightshift.archive.folder_place import FolderPlace
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.errors import BadInput
from nightshift.ledger.queries import copies as copy_queries
from nightshift.settings.copies import BUCKET, CopyPolicy
from nightshift.vocabulary import EventLevel, Reason

__all__ = [
    "MARKER",
    "PlaceInUse",
    "copy_policy",
    "end_trouble",
    "name_of_place",
    "note_trouble",
    "open_place",
    "place_named",
    "use_place",
]

MARKER = "nightshift-copies"
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 1800.0


def copy_policy(context: Context) -> CopyPolicy:
    """Return where second copies of the only site in scope go: the same for all of its instruments."""
    return context.deployment.surveys_of_site(context.site.name)[0].copies


def name_of_place(policy: CopyPolicy, depot: Depot) -> str:
    """Return what the ledger calls the place; empty where there is none."""
    if not policy.to or policy.to.startswith("s3://"):
        return policy.to
    return str((depot.root.parent / policy.to).resolve())


def open_place(policy: CopyPolicy, depot: Depot) -> CopyPlace | None:
    """Return the place that the settings name, or None where they name none. Nothing is written to it.

    Raises
    ------
    PlaceAway
        If it is a folder that would be lost with the depot, or nobody says who may write to the store.
    """
    name = name_of_place(policy, depot)
    if not name:
        return None
    if policy.to.startswith("s3://"):
        return BucketPlace(policy)
    _check_is_elsewhere(Path(name), policy, depot)
    return FolderPlace(Path(name))


def _check_is_elsewhere(folder: Path, policy: CopyPolicy, depot: Depot) -> None:
    if folder.is_relative_to(depot.root) or depot.root.is_relative_to(folder):
        raise PlaceAway(f"copies.to is {folder}, and the depot {depot.root} is not beside it: name another folder")
    there = next((one for one in (folder, folder.parent) if one.is_dir()), None)
    if there is None:
        raise PlaceAway(f"the folder of second copies {folder} is not there, or not mounted: mount it, or make it")
    devices = {place.stat().st_dev for place in (depot.root, depot.root / "archive") if place.is_dir()}
    if there.stat().st_dev in devices and not policy.same_device:
        raise PlaceAway(
            f"copies.to, {folder}, lies on the disk of the depot and would be lost with it: name a folder on another "
            "disk (or is that not mounted?), or set copies.same_device = true if you mean it"
        )


def place_named(policy: CopyPolicy, named: str | None) -> CopyPlace:
    """Return a place to read copies from: the one that somebody named, else that of the settings.

    Raises
    ------
    BadInput
        If nobody names one.
    PlaceAway
        If it is not there.
    """
    text = named or policy.to
    if not text or ("://" in text and not BUCKET.fullmatch(text)):
        raise BadInput(
            Reason.INPUT_LOST, "say where the copies are: --from with a folder or s3://bucket/prefix, or copies.to"
        )
    if text.startswith("s3://"):
        return BucketPlace(policy.model_copy(update={"to": text.rstrip("/")}))
    folder = Path(named).resolve() if named else Path(name_of_place(policy, Depot.from_environment()))
    if not folder.is_dir():
        raise PlaceAway(f"the folder of second copies {folder} is not there, or not mounted: mount it")
    return FolderPlace(folder)


@dataclass(frozen=True)
class PlaceInUse:
    """A place that was seen to be the one that the ledger knows.

    Parameters
    ----------
    place : CopyPlace
    marker : str
        What its marker says.
    """

    place: CopyPlace
    marker: str

    def check(self) -> None:
        """Raise `PlaceAway` where it is not there any more, or another lies in its place."""
        found = _marker(self.place)
        if found != self.marker:
            raise PlaceAway(_not_the_place(self.place, found))


def use_place(context: Context) -> PlaceInUse | None:
    """Return the place of the only site in scope, in service from now on; None where the settings name none.

    Call it while you hold the place's lock (`LockedWork.COPIES`).

    Raises
    ------
    PlaceAway
        If it cannot be used now.
    """
    site, ledger = context.site.name, context.ledger
    place = open_place(copy_policy(context), context.depot)
    if place is None:
        return None
    row = copy_queries.place(ledger, site=site, place=place.name)
    marker = _marker(place)
    if row is not None and row.marker is not None and marker != row.marker:
        raise PlaceAway(_not_the_place(place, marker))
    if marker is None:
        marker = secrets.token_hex(16)
        place.write(MARKER, [marker.encode()], len(marker))
        if _marker(place) != marker:
            raise PlaceAway(f"{place.name} does not keep what it gets: the first file there does not read back")
    if row is None or row.marker is None or row.retired_at is not None:
        with ledger.transaction():
            copy_queries.put_place(ledger, site=site, place=place.name, marker=marker)
            copy_queries.retire_other_places(ledger, site=site, place=place.name)
            copy_queries.want_old_nights(ledger, site=site, place=place.name)
    return PlaceInUse(place, marker)


def _marker(place: CopyPlace) -> str | None:
    try:
        return b"".join(place.read(MARKER)).decode(errors="replace").strip()
    except Gone:
        return None
    except NotTheFile as error:
        raise PlaceAway(f"the marker of {place.name} does not read: {error}") from error


def _not_the_place(place: CopyPlace, found: str | None) -> str:
    what = "is empty, or not mounted" if found is None else "is not the one that the ledger knows"
    return (
        f"{place.name} {what}: mount the right one. If its content is lost for good, name another place in "
        "copies.to, and everything is copied there"
    )


def note_trouble(context: Context, name: str, text: str) -> None:
    """Remember that a place cannot be used, and say it once."""
    said_before = copy_queries.put_trouble(
        context.ledger, site=context.site.name, place=name, trouble=text, first_s=FIRST_PAUSE_S,
        most_s=LONGEST_PAUSE_S,
    )  # fmt: skip
    if said_before is None:
        context.ledger.event(
            EventLevel.ERROR, "copies_wait", f"Second copies wait: {text}. They are made as soon as that is mended.",
            subject=name, night_time=context.clock.now(),
        )  # fmt: skip


def end_trouble(context: Context, name: str) -> None:
    """Say once that a place can be used again, where it was said that it cannot."""
    since = copy_queries.delete_trouble(context.ledger, site=context.site.name, place=name)
    if since is not None:
        context.ledger.event(
            EventLevel.INFO, "copies_go_on", f"Second copies are made again at {name}; they waited since "
            f"{since:%Y-%m-%d %H:%M} UTC.", subject=name, night_time=context.clock.now(),
        )  # fmt: skip
