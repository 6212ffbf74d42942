"""The stories of masters, references and alerts, one line a step."""

from collections.abc import Iterator
from datetime import datetime

from nightshift.called import Called, Thing
from nightshift.keys import FrameKey
from nightshift.ledger import Ledger
from nightshift.ledger.queries import made

__all__ = ["explain_made"]


def explain_made(ledger: Ledger, thing: Called) -> Iterator[str]:
    """Yield what the ledger knows of a master, a reference or an alert; nothing of anything else."""
    if thing.thing is Thing.MASTER:
        yield from _master(ledger, thing.key)
    elif thing.thing is Thing.REFERENCE:
        yield from _reference(ledger, thing.key)
    elif thing.thing is Thing.ALERT:
        yield from _alert(ledger, int(thing.key))


def _master(ledger: Ledger, key: str) -> Iterator[str]:
    row = made.master(ledger, key=key)
    if row is None:
        return
    yield f"{_time(row.built_at)} master {key}: {row.state}{_why(row.reason, row.detail)}, of {row.frames} frames"
    measured = {
        "level": row.level, "noise": row.noise, "read noise (ADU)": row.read_noise, "gain (electrons/ADU)": row.gain,
    }  # fmt: skip
    yield from _numbers(measured)
    yield f"  may serve from {_time(row.valid_from)} on"
    yield from _product(row.path, row.sha256, row.code_version)
    for frame in made.master_frames(ledger, key=key):
        name = FrameKey(frame.instrument, frame.exposure_id, frame.detector)
        verdict = "accepted" if frame.accepted else f"left out: {frame.reason}"
        level = "" if frame.level is None else f", level {frame.level:.1f} ADU"
        yield f"  frame {name}: {verdict}{level}"
    yield from _attempts(ledger, key)
    yield from _made_with(ledger, key)


def _reference(ledger: Ledger, key: str) -> Iterator[str]:
    row = made.reference(ledger, key=key)
    if row is None:
        return
    yield f"{_time(row.built_at)} {key}: {row.state}{_why(row.reason, row.detail)}, of {row.frames} frames"
    yield f"  asked for by {row.requested_by}" + (f": {row.request_reason}" if row.request_reason else "")
    measured = {"FWHM (pixels)": row.fwhm_px, "zero point": row.zero_point, "limit (mag)": row.limiting_magnitude}
    yield from _numbers(measured)
    if row.valid_from is not None:
        yield f"  serves frames that opened from {_time(row.valid_from)} on"
    yield from _product(row.path, row.sha256, row.code_version)
    for member in made.reference_members(ledger, key=key):
        yield f"  made of {member.unit_key}, weight {member.weight:.3g}"
    yield from _attempts(ledger, key)
    yield from _made_with(ledger, key)


def _alert(ledger: Ledger, candid: int) -> Iterator[str]:
    row = made.alert(ledger, candid=candid)
    if row is None:
        return
    magnitude = "" if row.magnitude is None else f", magnitude {row.magnitude:.2f}"
    sign = "brighter" if row.positive else "fainter"
    yield (
        f"candidate {candid} of {row.unit_key}, {sign} than {row.reference_key}: at {row.ra_deg:.5f} "
        f"{row.dec_deg:+.5f} deg, signal to noise {row.signal_to_noise:.1f}{magnitude}"
    )
    if row.state is None:
        yield "  it has no alert: it misses a cut, or its exposure's alerts were not decided on yet"
        return
    of_object = f" of object {row.object_id}" if row.object_id else ""
    yield f"  alert{of_object}: {row.state}{_why(row.reason, '')}"
    if row.released_at is not None:
        yield f"  released at {_time(row.released_at)}; packet in {row.packet_path}"
    for message in made.messages_of_alert(ledger, candid=candid, shutter_open=row.shutter_open):
        when = ""
        if message.acknowledged_at is not None:
            place = f"partition {message.broker_partition}, offset {message.broker_offset}"
            when = f" at {_time(message.acknowledged_at)}, {place}"
        error = f"; {message.last_error}" if message.last_error else ""
        yield f"  message to {message.topic}: {message.state}{when}{error}"


def _numbers(measured: dict[str, float | None]) -> Iterator[str]:
    said = [f"{name} {value:.4g}" for name, value in measured.items() if value is not None]
    if said:
        yield f"  measured: {', '.join(said)}"


def _product(path: str | None, sha256: str | None, code: str | None) -> Iterator[str]:
    if path is not None and sha256 is not None:
        yield f"  {path}, sha256 {sha256[:12]}, code {code}"


def _attempts(ledger: Ledger, key: str) -> Iterator[str]:
    for row in made.attempts_at(ledger, key=key):
        where = f" on {row.host}" if row.host else ""
        yield (
            f"  {_time(row.created_at)} attempt {row.attempt} of {row.job_key}{where}: "
            f"{row.state}{_why(row.reason, row.detail)}"
        )


def _made_with(ledger: Ledger, key: str) -> Iterator[str]:
    for row in made.made_with_it(ledger, key=key):
        yield f"  made with it: {row.products} {row.kind}, the first of {row.first_unit}"


def _why(reason: str | None, detail: str) -> str:
    said = ", ".join(part for part in (reason, detail) if part)
    return f" ({said})" if said else ""


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
