"""The commands ``nightshift alerts post``, ``consume`` and ``show``."""

import argparse
import gzip
import io
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from nightshift.context import Context

__all__ = ["register", "stamps_figure"]

GZIP = b"\x1f\x8b"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``alerts`` and its own commands to the command line's subparsers."""
    alerts = subparsers.add_parser("alerts", help="send, receive and look at alerts")
    commands = alerts.add_subparsers(dest="alerts_command", required=True)
    post_parser = commands.add_parser("post", help="send what is queued; exit code 1 while something stays queued")
    post_parser.add_argument("--brokers", help="host:port,... (default: NIGHTSHIFT_BROKERS)")
    post_parser.set_defaults(run=_post)
    consume_parser = commands.add_parser("consume", help="receive alerts until interrupted")
    consume_parser.add_argument("--folder", type=Path, required=True, help="where the lines and counts are written")
    consume_parser.set_defaults(run=_consume)
    show_parser = commands.add_parser(
        "show",
        help="print an alert's packet and draw its stamps",
        description="One packet is printed whole and its stamps are drawn; of several each gets a line. Packets of "
        "other surveys are read as well. Exit code 1 if one does not read, or there is none.",
    )
    show_parser.add_argument("alert", help="an alert's candid, or a file, a folder, or - for standard input")
    show_parser.add_argument("--png", type=Path, help="the picture of the stamps (default: <candid>.png)")
    show_parser.set_defaults(run=_show)


def _post(options: argparse.Namespace) -> int:
    from nightshift.alerts.post import post
    from nightshift.context import open_context

    with open_context() as context:
        summary = post(context, brokers=options.brokers)
    if summary.busy:
        print("Another poster is at work; nothing was tried.")
        return 1
    print(f"{summary.acknowledged} acknowledged, {summary.failed} stay queued, {summary.damaged} withheld")
    if summary.waiting:
        print(f"{summary.waiting} more wait until the broker may be sent more")
    if summary.error:
        print(summary.error)
    return 1 if summary.failed or summary.damaged or summary.waiting else 0


def _consume(options: argparse.Namespace) -> int:
    from nightshift.stack.stand_ins import command_of

    return subprocess.call(command_of("consumer", "--folder", str(options.folder)))


def _show(options: argparse.Namespace) -> int:
    from nightshift.alerts.packet_sources import packets_at

    if options.alert.isdecimal() and not Path(options.alert).exists():
        return _show_sent(int(options.alert), options.png)
    found = list(packets_at(options.alert))
    if len(found) == 1 and found[0].packet is not None:
        _show_whole(found[0].packet, options.png)
        return 0
    for name, packet, why in found:
        print(f"{name}: {why or _line(packet or {})}")
    if not found:
        print(f"No file below {options.alert}.")
    return 0 if found and all(not item.why for item in found) else 1


def _show_sent(candid: int, png: Path | None) -> int:
    from nightshift.context import open_context

    with open_context() as context:
        found = _packet(context, candid)
    if found is None:
        print(f"No packet of candid {candid}: it has no alert, or the alert is withheld.")
        return 1
    state, packet = found
    _show_whole(packet, png)
    print(f"State: {state}.")
    return 0


def _show_whole(packet: dict[str, Any], png: Path | None) -> None:
    from nightshift.alerts.packet_sources import stamps_of, without_pictures

    print(json.dumps(without_pictures(packet), indent=1))
    stamps = stamps_of(packet)
    if stamps:
        target = png or Path(f"{packet.get('candid', 'alert')}.png")
        target.write_bytes(stamps_figure(stamps))
        print(f"Stamps: {target}")


def _line(packet: dict[str, Any]) -> str:
    """Return in a line what a packet is, as far as its survey calls things as ours does."""
    record = packet.get("candidate")
    record = record if isinstance(record, dict) else {}
    said = [f"{name} {value}" for name in ("candid", "objectId") if (value := packet.get(name)) is not None]
    said += [f"{name} {value}" for name in ("jd", "ra", "dec", "magpsf", "rb") if (value := record.get(name))]
    return ", ".join(said) or f"a packet of {', '.join(packet)}"


def _packet(context: "Context", candid: int) -> tuple[str, dict[str, Any]] | None:
    """Return an alert's state and packet, or None where it has no packet."""
    from nightshift.alerts.packets import decode
    from nightshift.alerts.tars import Member, read_member
    from nightshift.housekeeping.deleted_files import file_at_hand
    from nightshift.ledger.queries import alerts as alert_queries

    alert = alert_queries.packet_place(context.ledger, candid=candid)
    if alert is None:
        return None
    path, offset, size, sha256 = alert.packet_path, alert.packet_offset, alert.packet_bytes, alert.packet_sha256
    if path is None or offset is None or size is None or sha256 is None:
        return None
    return alert.state, decode(read_member(file_at_hand(context, path), Member(offset, size, sha256)))


def stamps_figure(stamps: dict[str, bytes]) -> bytes:
    """Return a PNG of FITS stamps side by side, each stretched between its 1st and 99th percentile."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * max(len(stamps), 1), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, content) in enumerate(stamps.items(), start=1):
        axes = figure.add_subplot(1, len(stamps), place)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(name.removeprefix("cutout").lower(), fontsize=10)
        image = _image(content)
        if image is None:
            axes.text(0.5, 0.5, "does not read", ha="center", va="center", transform=axes.transAxes)
            continue
        low, high = np.nanpercentile(image, [1, 99]) if np.isfinite(image).any() else (0.0, 1.0)
        axes.imshow(image, origin="lower", cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _image(content: bytes) -> "np.ndarray | None":
    """Return the picture of a stamp, gzipped or not; None where it does not read as one."""
    import numpy as np
    from astropy.io import fits

    try:
        whole = gzip.decompress(content) if content.startswith(GZIP) else content
        with fits.open(io.BytesIO(whole)) as units:
            image = np.asarray(units[0].data, dtype=np.float32)
    except Exception:  # noqa: BLE001 - another survey's or a damaged stamp may make the library fail in any way
        return None
    return image if image.ndim == 2 else None
