"""The commands ``nightshift alerts post``, ``consume`` and ``show``."""

import argparse
import gzip
import io
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightshift.context import Context

__all__ = ["register", "stamps_figure"]


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
    show_parser = commands.add_parser("show", help="print an alert's packet and draw its stamps")
    show_parser.add_argument("candid", type=int)
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
    from nightshift.context import open_context

    with open_context() as context:
        found = _packet(context, options.candid)
    if found is None:
        print(f"No packet of candid {options.candid}: it has no alert, or the alert is withheld.")
        return 1
    state, packet = found
    stamps = {name: packet.pop(name) for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference")}
    print(json.dumps(packet, indent=1))
    target = options.png or Path(f"{options.candid}.png")
    target.write_bytes(stamps_figure({name: stamp["stampData"] for name, stamp in stamps.items() if stamp}))
    print(f"State: {state}. Stamps: {target}")
    return 0


def _packet(context: "Context", candid: int) -> tuple[str, dict[str, Any]] | None:
    """Return an alert's state and packet, or None where it has no packet."""
    from nightshift.alerts.packets import decode
    from nightshift.alerts.tars import Member, read_member
    from nightshift.ledger.queries import alerts as alert_queries

    alert = alert_queries.packet_place(context.ledger, candid=candid)
    if alert is None:
        return None
    path, offset, size, sha256 = alert.packet_path, alert.packet_offset, alert.packet_bytes, alert.packet_sha256
    if path is None or offset is None or size is None or sha256 is None:
        return None
    return alert.state, decode(read_member(context.depot.absolute(path), Member(offset, size, sha256)))


def stamps_figure(stamps: dict[str, bytes]) -> bytes:
    """Return a PNG of gzipped FITS stamps side by side, each stretched between its 1st and 99th percentile."""
    import numpy as np
    from astropy.io import fits
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * max(len(stamps), 1), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, content) in enumerate(stamps.items(), start=1):
        with fits.open(io.BytesIO(gzip.decompress(content))) as units:
            image = np.asarray(units[0].data, dtype=np.float32)
        low, high = np.nanpercentile(image, [1, 99]) if np.isfinite(image).any() else (0.0, 1.0)
        axes = figure.add_subplot(1, len(stamps), place)
        axes.imshow(image, origin="lower", cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(name.removeprefix("cutout").lower(), fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
