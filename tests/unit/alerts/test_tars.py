"""Tars are deterministic, ordinary tars, and their members are found by offset."""

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.alerts.tars import read_member, read_stamps, write_tar
from nightshift.errors import NeedsOperator
from nightshift.files import sha256_of
from nightshift.vocabulary import Reason


@given(st.lists(st.binary(max_size=1500), max_size=5))
def test_a_member_reads_by_offset_and_by_any_tar_program(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("tar") / "packets.tar"
    members = [(f"{i}.avro", content) for i, content in enumerate(contents)]
    places = write_tar(path, members)
    assert [read_member(path, place) for place in places] == contents
    with tarfile.open(path) as tar:
        assert [(info.name, tar.extractfile(info).read()) for info in tar] == members
    first = sha256_of(path)
    write_tar(path, members)
    assert sha256_of(path) == first


def test_changed_bytes_are_noticed(tmp_path):
    path = tmp_path / "packets.tar"
    (place,) = write_tar(path, [("1.avro", b"packet")])
    path.write_bytes(path.read_bytes().replace(b"packet", b"pocket"))
    with pytest.raises(NeedsOperator) as caught:
        read_member(path, place)
    assert caught.value.reason is Reason.INPUT_LOST


def test_stamps_come_by_number_and_kind(tmp_path):
    path = tmp_path / "cutouts.tar"
    write_tar(path, [("1_science.fits.gz", b"a"), ("1_template.fits.gz", b"b"), ("12_science.fits.gz", b"c")])
    assert read_stamps(path, sha256_of(path)) == {1: {"science": b"a", "template": b"b"}, 12: {"science": b"c"}}


@pytest.mark.parametrize("spoil", ["remove", "change", "not a tar"])
def test_stamps_that_are_not_what_was_made_need_somebody(tmp_path, spoil):
    path = tmp_path / "cutouts.tar"
    write_tar(path, [("1_science.fits.gz", b"a")])
    sha256 = sha256_of(path)
    if spoil == "remove":
        path.unlink()
    else:
        path.write_bytes(b"spoiled" * 1000)
    if spoil == "not a tar":
        sha256 = sha256_of(path)
    with pytest.raises(NeedsOperator):
        read_stamps(path, sha256)
