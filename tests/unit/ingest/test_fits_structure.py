"""The structure of FITS files: as astropy writes them, and as no one should."""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.errors import BadInput
from nightshift.ingest.structure import unpacked, walk
from nightshift.vocabulary import Reason


def written(*units, checksum=True):
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(stream, checksum=checksum)
    return stream.getvalue()


def image(shape=(20, 30), dtype=np.uint16, **header):
    unit = fits.ImageHDU(np.arange(np.prod(shape)).reshape(shape).astype(dtype), name="SCI")
    unit.header.update(header)
    return unit


def compressed(**options):
    return fits.CompImageHDU(np.zeros((20, 30), np.int16), name="SCI", **options)


def test_extensions_are_found_with_names_shapes_and_values():
    table = fits.BinTableHDU(np.zeros(3, dtype=[("x", "f8")]), name="CAT")
    extensions = walk(written(image(WORD="it's", FLAG=True, NUMBER=-3, REAL=1.5e-3), table))
    assert [(e.name, e.shape) for e in extensions] == [("", ()), ("SCI", (20, 30)), ("CAT", ())]
    header = extensions[1].header
    assert (header["WORD"], header["FLAG"], header["NUMBER"], header["REAL"]) == ("it's", True, -3, 1.5e-3)


def test_a_compressed_image_has_its_unpacked_size():
    (_, extension) = walk(written(compressed()))
    assert (extension.compressed, extension.shape, extension.unpacked_bytes) == (True, (20, 30), 1200)


def test_long_strings_are_joined():
    text = "x" * 150
    assert walk(written(image(LONG=text)))[1].header["LONG"] == text


@pytest.mark.parametrize("unit", [image(), image((7, 3), np.float32), compressed()])
def test_checksums_hold_and_a_changed_bit_is_found(unit):
    content = written(unit)
    assert [e.checksum_ok for e in walk(content)] == [True, True]
    last = walk(content)[1]
    place = last.data_begins + last.data_bytes // 2
    changed = content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]
    assert walk(changed)[1].checksum_ok is False


def test_without_checksums_nothing_is_claimed():
    assert [e.checksum_ok for e in walk(written(image(), checksum=False))] == [None, None]


@given(st.data())
def test_a_file_cut_anywhere_in_its_last_image_is_truncated(data):
    content = written(image())
    last = walk(content)[1]
    cut = data.draw(st.integers(last.begins + 9, last.data_begins + last.data_bytes - 1))
    with pytest.raises(BadInput) as caught:
        walk(content[:cut])
    assert caught.value.reason is Reason.TRUNCATED_FILE


def test_missing_padding_at_the_end_is_no_truncation():
    content = written(image())
    last = walk(content)[1]
    assert walk(content[: last.data_begins + last.data_bytes])[1].shape == (20, 30)


@settings(max_examples=200)
@given(st.integers(0, 8639), st.binary(min_size=1, max_size=80))
def test_whatever_is_written_over_a_file_it_reads_or_is_refused(place, patch):
    content = bytearray(written(image()))
    content[place : place + len(patch)] = patch
    try:
        extensions = walk(bytes(content))
    except BadInput:
        return
    assert all(e.data_begins + e.data_bytes <= len(content) for e in extensions)
    assert all(isinstance(e.unpacked_bytes, int) for e in extensions)


@given(st.binary(max_size=4000))
def test_any_bytes_after_the_magic_are_read_or_refused(content):
    with pytest.raises(BadInput):
        walk(b"SIMPLE  =" + content.replace(b"END     ", b"")[:2000])


def test_gzip_is_unpacked_within_its_bound():
    content = written(image())
    packed = gzip.compress(content)
    assert unpacked(packed, len(content)) == content
    assert unpacked(content, 10) == content
    with pytest.raises(BadInput) as caught:
        unpacked(packed, len(content) - 1)
    assert caught.value.reason is Reason.TOO_LARGE
    with pytest.raises(BadInput) as caught:
        unpacked(packed[: len(packed) // 2], len(content))
    assert caught.value.reason is Reason.TRUNCATED_FILE
    with pytest.raises(BadInput) as caught:
        unpacked(b"\x1f\x8b" + b"nonsense" * 9, 100)
    assert caught.value.reason is Reason.UNREADABLE_FILE
