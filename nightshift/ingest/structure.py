"""The structure of a FITS file, read without touching a pixel.

The walk goes from header to header and believes no number in them before it is bounded. FITS 4.0 standard,
sections 3 (organisation), 4 (headers), 4.4.2.7 and appendix J (checksums), 10 (tile compression).
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nightshift.errors import BadInput
from nightshift.vocabulary import Reason

__all__ = ["Extension", "unpacked", "walk"]

BLOCK = 2880
CARD = 80
LARGEST_HEADER = 400 * BLOCK
LARGEST_NUMBER_OF_EXTENSIONS = 1000
GZIP = b"\x1f\x8b"
SUM_CHUNK = 1 << 24
_STRING = re.compile(r"\s*'((?:[^']|'')*)'")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Extension:
    """One header and data unit.

    Parameters
    ----------
    number : int
        From 0.
    header : dict
        Keyword to value: str, int, float, bool or None.
    begins, data_begins, data_bytes : int
        Its place in the file, bytes; the data without their padding.
    checksum_ok : bool or None
        Whether CHECKSUM and DATASUM hold; None where it has neither.
    """

    number: int
    header: dict[str, Any]
    begins: int
    data_begins: int
    data_bytes: int
    checksum_ok: bool | None

    @property
    def name(self) -> str:
        """EXTNAME in capitals."""
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @property
    def compressed(self) -> bool:
        """Whether it is a table that holds a compressed image."""
        return self.header.get("ZIMAGE") is True

    @property
    def shape(self) -> tuple[int, ...]:
        """The image's size, unpacked, slowest axis first; empty where there is no image."""
        prefix = "Z" if self.compressed else ""
        if not self.compressed and self.header.get("XTENSION", "IMAGE") not in ("IMAGE", "IMAGE   "):
            return ()
        axes = _axis_lengths(self.header, prefix)
        return tuple(reversed(axes))

    @property
    def unpacked_bytes(self) -> int:
        """The size of the image once unpacked, or of the data as they are."""
        if not self.compressed:
            return self.data_bytes
        bits = self.header.get("ZBITPIX")
        size = abs(bits) // 8 if isinstance(bits, int) else 8
        return size * _product(self.shape)


def unpacked(content: bytes, most_bytes: int) -> bytes:
    """Return a file's content, a gzipped one unpacked, but never more than `most_bytes` of it.

    Raises
    ------
    BadInput
        TOO_LARGE; TRUNCATED_FILE or UNREADABLE_FILE where it begins like gzip and does not read so.
    """
    if content[:2] != GZIP:
        return content
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            whole = stream.read(most_bytes + 1)
    except EOFError as error:
        raise BadInput(Reason.TRUNCATED_FILE, f"its gzip stream ends early: {error}") from error
    except (OSError, zlib.error) as error:
        raise BadInput(Reason.UNREADABLE_FILE, f"its gzip stream does not read: {error}") from error
    if len(whole) > most_bytes:
        raise BadInput(Reason.TOO_LARGE, f"it unpacks to more than {most_bytes} bytes")
    return whole


def walk(content: bytes) -> tuple[Extension, ...]:
    """Return all extensions of a FITS file, the primary first.

    Raises
    ------
    BadInput
        UNREADABLE_FILE or TRUNCATED_FILE, with the place.
    """
    if content[:9] != b"SIMPLE  =":
        raise BadInput(Reason.UNREADABLE_FILE, "it does not begin with SIMPLE")
    return tuple(_walk(content))


def _walk(content: bytes) -> Iterator[Extension]:
    begins = 0
    for number in range(LARGEST_NUMBER_OF_EXTENSIONS):
        header, data_begins = _read_header(content, begins, number)
        data_bytes = _data_bytes(header, number)
        ends = data_begins + data_bytes
        if ends > len(content):
            raise BadInput(
                Reason.TRUNCATED_FILE,
                f"extension {number} ends at byte {ends} by its header, and the file at {len(content)}",
            )
        padded = data_begins + -(-data_bytes // BLOCK) * BLOCK
        ok = _checksums_hold(content, header, begins, data_begins, padded)
        yield Extension(number, header, begins, data_begins, data_bytes, ok)
        begins = padded
        if content[begins : begins + 8] != b"XTENSION":
            return
    raise BadInput(Reason.UNREADABLE_FILE, f"more than {LARGEST_NUMBER_OF_EXTENSIONS} extensions")


def _read_header(content: bytes, begins: int, number: int) -> tuple[dict[str, Any], int]:
    header: dict[str, Any] = {}
    for place in range(begins, begins + LARGEST_HEADER, BLOCK):
        block = content[place : place + BLOCK]
        if len(block) < BLOCK and b"END     " not in block:
            raise BadInput(Reason.TRUNCATED_FILE, f"the file ends inside the header of extension {number}")
        text = block.decode("latin-1")
        for start in range(0, len(text), CARD):
            card = text[start : start + CARD]
            if card.startswith("END     ") or card == "END":
                return header, place + BLOCK
            _read_card(card, header)
    raise BadInput(Reason.UNREADABLE_FILE, f"the header of extension {number} does not end")


def _read_card(card: str, header: dict[str, Any]) -> None:
    """Add one card; of a keyword that is repeated the first counts, as with other readers."""
    key, rest = card[:8].rstrip(), card[10:]
    if key == "HIERARCH" and "=" in card:
        key, rest = (part.strip() for part in card[8:].split("=", 1))
    elif key == "CONTINUE" and header:
        last = next(reversed(header))
        if isinstance(header[last], str) and header[last].endswith("&"):
            header[last] = header[last][:-1] + str(_value(card[8:]) or "")
        return
    elif card[8:10] != "= ":
        return
    header.setdefault(key, _value(rest))


def _value(text: str) -> str | int | float | bool | None:
    if quoted := _STRING.match(text):
        return _printable(quoted[1].replace("''", "'").rstrip())
    word = text.split("/", 1)[0].strip()
    if word in ("T", "F"):
        return word == "T"
    if _INTEGER.fullmatch(word):
        return int(word) if len(word) < 30 else float(word)
    if _NUMBER.fullmatch(word):
        return float(word.replace("D", "E").replace("d", "e"))
    return _printable(word) or None


def _printable(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _data_bytes(header: dict[str, Any], number: int) -> int:
    bits = header.get("BITPIX")
    if bits not in (8, 16, 32, 64, -32, -64) or isinstance(bits, bool):
        raise BadInput(Reason.UNREADABLE_FILE, f"extension {number}: BITPIX = {bits!r}")
    axes = _axis_lengths(header, "")
    if not axes:
        return 0
    if axes[0] == 0 and header.get("GROUPS") is True:
        axes = axes[1:]
    extra, groups = header.get("PCOUNT", 0), header.get("GCOUNT", 1)
    if not all(isinstance(n, int) and n >= 0 for n in (extra, groups)):
        raise BadInput(Reason.UNREADABLE_FILE, f"extension {number}: PCOUNT = {extra!r}, GCOUNT = {groups!r}")
    size: int = abs(bits) // 8 * groups * (extra + _product(axes))
    return size


def _axis_lengths(header: dict[str, Any], prefix: str) -> tuple[int, ...]:
    axes = header.get(f"{prefix}NAXIS", 0)
    if not isinstance(axes, int) or not 0 <= axes <= 999:
        raise BadInput(Reason.UNREADABLE_FILE, f"{prefix}NAXIS = {axes!r}")
    lengths = tuple(header.get(f"{prefix}NAXIS{n}") for n in range(1, axes + 1))
    checked = tuple(n for n in lengths if isinstance(n, int) and not isinstance(n, bool) and n >= 0)
    if len(checked) != axes:
        raise BadInput(Reason.UNREADABLE_FILE, f"{prefix}NAXISn = {lengths!r:.200}")
    return checked


def _product(numbers: tuple[int, ...]) -> int:
    """Return the product of integers of any size; of none, 0."""
    total = 1 if numbers else 0
    for number in numbers:
        total *= number
    return total


def _checksums_hold(content: bytes, header: dict[str, Any], begins: int, data_begins: int, ends: int) -> bool | None:
    checksum, datasum = header.get("CHECKSUM"), header.get("DATASUM")
    if not checksum and datasum in (None, ""):
        return None
    data = _ones_complement_sum(content, data_begins, ends)
    try:
        if datasum not in (None, "") and int(str(datasum)) != data:
            return False
    except ValueError:
        return False
    if not checksum:
        return True
    return _fold(data + _ones_complement_sum(content, begins, data_begins)) in (0, 0xFFFFFFFF)


def _ones_complement_sum(content: bytes, begins: int, ends: int) -> int:
    """Return the 32-bit ones' complement sum of big-endian words; what lacks at the end counts as zeros."""
    total = 0
    for place in range(begins, ends, SUM_CHUNK):
        chunk = content[place : min(place + SUM_CHUNK, ends)]
        words = np.frombuffer(chunk + bytes(-len(chunk) % 4), dtype=">u4")
        total = _fold(total + int(words.sum(dtype=np.uint64)))
    return total


def _fold(total: int) -> int:
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total
