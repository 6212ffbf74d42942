"""What happens to files on their way: one small function a fault, ``(transfer, file name, survey) -> name or None``.

A function that makes another name returns it; the others hit the file that they were given.
"""

import gzip
import io
import json
from datetime import datetime
from typing import Any

import numpy as np
from astropy.io import fits

from nightshift.errors import BadInput
from nightshift.ingest.verify import SIDECAR
from nightshift.settings import Survey
from nightshift.vocabulary import Reason
from rehearsal.simulator.manifest import manifest_of
from rehearsal.simulator.transfer import AGAIN, Transfer

BLOCK = 2880
BOMB_SIDE = 160_000  # pixels: 51 GB as 16-bit integers
GZIP_MEMBER = 10_000_000  # bytes of zeros in each of the members, all alike, of which a gzip file may be made
GZIP_MEMBERS = 500
WHEN = "2000-01-01T00:00:00"  # in the comment of a checksum: the same bytes whenever the night is made
LONGEST_NAME = 255
MANIFEST_NAME = "manifest_%Y%m%d.json"

Renamed = str | None


# --- a damaged file -------------------------------------------------------------------------------------------


def truncate(transfer: Transfer, name: str, survey: Survey) -> None:
    """Cut the file somewhere in its last two thirds."""
    content = transfer.content(name)
    transfer.arrives_as(name, content[: int(len(content) * transfer.random.uniform(0.34, 0.95))])


def flip_a_bit(transfer: Transfer, name: str, survey: Survey) -> None:
    """Change one bit of the last image's pixels."""
    content = bytearray(transfer.content(name))
    with fits.open(io.BytesIO(content)) as units:
        image = units[-1]
        begins, size = image.fileinfo()["datLoc"], abs(image.header["BITPIX"]) // 8 * image.data.size
    content[begins + int(transfer.random.integers(size))] ^= 1 << int(transfer.random.integers(8))
    transfer.arrives_as(name, bytes(content))


def wrong_sidecar(transfer: Transfer, name: str, survey: Survey) -> None:
    """Lay a checksum beside the file that is not its own; it comes first, as the file would be taken in without."""
    transfer.add(name + SIDECAR, f"{transfer.other_sha256(name)}  {name}\n".encode(), before=name)


def empty(transfer: Transfer, name: str, survey: Survey) -> None:
    """Let nothing of the file arrive but its name."""
    transfer.arrives_as(name, b"")


def unreadable_header(transfer: Transfer, name: str, survey: Survey) -> None:
    """Put noise in place of the first block."""
    content = transfer.content(name)
    transfer.arrives_as(name, transfer.random.bytes(BLOCK) + content[BLOCK:])


# --- a header that cannot be ----------------------------------------------------------------------------------


def _with_header(content: bytes, keyword: str, value: Any) -> bytes:
    """Return a FITS file with another value of a keyword wherever it stands, and checksums that hold."""
    with fits.open(io.BytesIO(content)) as units:
        for unit in units:
            if keyword in unit.header or unit is units[0]:
                unit.header[keyword] = value
            unit.add_checksum(when=WHEN)
        stream = io.BytesIO()
        units.writeto(stream)
    return stream.getvalue()


def _write_header(transfer: Transfer, name: str, keyword: str, value: Any) -> None:
    transfer.sent_as(name, _with_header(transfer.content(name), keyword, value))


def exposure_time_a_word(transfer: Transfer, name: str, survey: Survey) -> None:
    """Write the exposure time as a word."""
    _write_header(transfer, name, survey.camera.header.exposure_time[0], "thirty")


def exposure_time_negative(transfer: Transfer, name: str, survey: Survey) -> None:
    """Write an exposure time of -1 s."""
    _write_header(transfer, name, survey.camera.header.exposure_time[0], -1.0)


def right_ascension_nan(transfer: Transfer, name: str, survey: Survey) -> None:
    """Write NaN, which FITS has as text only."""
    _write_header(transfer, name, survey.camera.header.ra[0], "NaN")


def right_ascension_400(transfer: Transfer, name: str, survey: Survey) -> None:
    """Write a right ascension of 400 degrees."""
    _write_header(transfer, name, survey.camera.header.ra[0], 400.0)


def other_camera(transfer: Transfer, name: str, survey: Survey) -> None:
    """Write another camera's name."""
    if not survey.camera.header.camera:
        raise BadInput(Reason.WRONG_CAMERA, f"no keyword of {survey.camera.instrument}'s header names the camera")
    _write_header(transfer, name, survey.camera.header.camera[0], "OTHERCAM")


# --- bombs ----------------------------------------------------------------------------------------------------


def gzip_bomb(transfer: Transfer, name: str, survey: Survey) -> None:
    """Put 5 GB of zeros in 5 MB: gzip packs a thousandfold at most."""
    transfer.sent_as(name, gzip.compress(bytes(GZIP_MEMBER), mtime=0) * GZIP_MEMBERS)


def rice_bomb(transfer: Transfer, name: str, survey: Survey) -> None:
    """Put a valid image of 51 GB in 1.3 MB: every row's descriptor points to the same packed row."""
    stream = io.BytesIO()
    row = fits.CompImageHDU(np.zeros((1, BOMB_SIDE), np.int16), compression_type="RICE_1", tile_shape=(1, BOMB_SIDE))
    fits.HDUList([fits.PrimaryHDU(), row]).writeto(stream)
    whole = stream.getvalue()
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as units:
        table = units[1]
        header, width, heap = table.header.copy(), table.header["NAXIS1"], table.header["PCOUNT"]
        begins = table.fileinfo()["datLoc"]
        first = bytes(units[0].header.tostring(), "ascii")
    packed = whole[begins : begins + width + heap]
    header["NAXIS2"] = header["ZNAXIS2"] = BOMB_SIDE
    data = packed[:width] * BOMB_SIDE + packed[width:]
    transfer.sent_as(name, first + header.tostring().encode("ascii") + data + bytes(-len(data) % BLOCK))


# --- twice, never, unasked ------------------------------------------------------------------------------------


def duplicate(transfer: Transfer, name: str, survey: Survey) -> None:
    """Send the same file again."""
    transfer.add(f"{AGAIN}/{name}", transfer.content(name), after=name)


def conflict(transfer: Transfer, name: str, survey: Survey) -> None:
    """Send another valid file under the same name."""
    other = _with_header(transfer.content(name), "OBSERVER", "somebody else")
    transfer.add(f"{AGAIN}/{name}", other, after=name)


def missing(transfer: Transfer, name: str, survey: Survey) -> None:
    """Let the file never be sent."""
    transfer.remove(name)


def unlisted(transfer: Transfer, name: str, survey: Survey) -> None:
    """Leave the file out of the manifest."""
    del transfer.entries[name]


def manifest_mismatch(transfer: Transfer, name: str, survey: Survey) -> None:
    """Let the manifest say another checksum."""
    transfer.entries[name] = {**transfer.entries[name], "sha256": transfer.other_sha256(name)}


def manifest_of_300(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a manifest with a name that is too long before the sound one."""
    entry = {"name": "x" * 295 + ".fits", "bytes": 1, "sha256": transfer.other_sha256(name)}
    night = datetime.strptime(transfer.manifest_name, MANIFEST_NAME).date()
    table = manifest_of(survey.site.name, night, [entry], synthetic=False)
    transfer.add(transfer.manifest_name, json.dumps(table).encode())
    return transfer.manifest_name


# --- late -----------------------------------------------------------------------------------------------------


def late(transfer: Transfer, name: str, survey: Survey) -> None:
    """Send the file after the manifest."""
    transfer.order.remove(name)
    transfer.after_manifest.append(name)


def late_after_closing(transfer: Transfer, name: str, survey: Survey) -> None:
    """Send the file when the night has closed."""
    transfer.order.remove(name)
    transfer.after_closing.append(name)


# --- names and what is no file --------------------------------------------------------------------------------


def _copy(transfer: Transfer, name: str, copy: str) -> Renamed:
    transfer.add(copy, transfer.content(name), after=name)
    return copy


def name_with_spaces(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a copy as file managers name copies."""
    return _copy(transfer, name, f"Copy of {name}")


def name_with_metacharacters(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a copy whose name does harm where it reaches a shell."""
    return _copy(transfer, name, f"$(touch pwned);rm -rf *&'`\"|{name}")


def name_with_dots(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a copy whose name looks like a way out."""
    return _copy(transfer, name, f"raw..\\..\\{name}")


def name_too_long(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a copy with the longest name that a file system holds."""
    return _copy(transfer, name, name.rjust(LONGEST_NAME, "x"))


def link_out_of_inbox(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a link, named as a frame would be, to a file of the machine."""
    link = f"link_{name}"
    transfer.link(link, "/etc/passwd")
    return link


def pipe(transfer: Transfer, name: str, survey: Survey) -> Renamed:
    """Send a named pipe."""
    transfer.pipe(f"pipe_{name}")
    return f"pipe_{name}"
