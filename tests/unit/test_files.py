"""Files that are written whole, and read within bounds."""

from nightshift.files import end_of


def test_a_short_file_is_read_whole_and_of_a_long_one_its_end(tmp_path):
    log = tmp_path / "task.log"
    log.write_bytes(b"begun\n")
    assert end_of(log, 100) == "begun\n"
    with log.open("wb") as stream:  # larger than memory, and mostly a hole
        stream.truncate(1 << 40)
        stream.seek(0, 2)
        stream.write(b"no stars\n\xff")
    text = end_of(log, 10)
    assert text.startswith(f"... {1 << 40} bytes before this are left out")
    assert text.endswith("no stars\n\N{REPLACEMENT CHARACTER}")
