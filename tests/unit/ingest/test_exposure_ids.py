"""An exposure's id is made of groups of the file's name, the night and header values, as the settings say."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nightshift.errors import BadInput
from nightshift.ingest.naming import exposure_id, exposure_id_by_name, file_of_night, one_exposure, parse_name
from nightshift.night_end.named_frames import frame_of_name
from nightshift.settings import SettingsError, load_survey
from nightshift.settings.models import FileNames
from nightshift.vocabulary import Reason

PATTERN = r"img_(?P<exposure>\d{4})_c(?P<detector>\d)\.fits"
NIGHT, NEXT = date(2026, 1, 15), date(2026, 1, 16)


def camera(template: str):
    return load_survey("demo").camera.model_copy(
        update={"file_names": FileNames(pattern=PATTERN, exposure_id=template)}
    )


def made(template: str, *, night: date = NIGHT, header=None, name: str = "img_0007_c2.fits") -> str:
    return exposure_id(parse_name(name, camera(template)), camera(template), night, header or {})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{exposure}", "0007"),
        ("{night}_{exposure}", "20260115_0007"),
        ("{night:%y%j}.{exposure:>6}", "26015.  0007"),
        ("{exposure}_{header:OBSID}", "0007_a-b"),
        ("{header:RUN}.{exposure}", "12.0007"),
    ],
)
def test_an_id_is_made_as_the_template_says(template, expected):
    if " " in expected:
        with pytest.raises(BadInput, match="would be") as caught:
            made(template)
        assert caught.value.reason is Reason.NAME_UNSAFE
    else:
        assert made(template, header={"OBSID": " a:b ", "RUN": 12.0}) == expected


def test_one_name_is_another_exposure_on_another_night():
    assert made("{night}_{exposure}") != made("{night}_{exposure}", night=NEXT)


@pytest.mark.parametrize("header", [{}, {"OBSID": "  "}, {"OBSID": None}])
def test_a_header_without_the_keyword_is_incomplete(header):
    with pytest.raises(BadInput, match="OBSID") as caught:
        made("{exposure}_{header:OBSID}", header=header)
    assert caught.value.reason is Reason.HEADER_INCOMPLETE


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{number}", r"no \{number\}.*\{detector\}, \{exposure\}.*\{night\} and \{header:KEYWORD\}"),
        ("fixed", "the same id"),
        ("{}", r"no \{\}"),
        ("{exposure!r}", "conversions"),
        ("{exposure.__class__}", "there is no"),
        ("{header}", "header:KEYWORD"),
        ("{header:obs id}", "header:KEYWORD"),
        ("{exposure:04d}", "04d"),
        ("{exposure:{night}}", "field within"),
        ("{exposure", "expected"),
    ],
)
def test_a_template_of_what_there_is_not_is_refused_with_what_there_is(template, said):
    with pytest.raises(ValidationError, match=said):
        FileNames(pattern=PATTERN, exposure_id=template)


def test_a_group_that_has_the_name_of_a_word_of_the_template_is_refused_where_it_is_used():
    with pytest.raises(ValidationError, match="rename"):
        FileNames(pattern=r"(?P<night>\d+)\.fits", exposure_id="{night}")


def test_the_default_is_checked_too():
    with pytest.raises(ValidationError, match="exposure"):
        FileNames(pattern=r"(?P<number>\d+)\.fits")


def test_the_message_names_file_and_key(tmp_path, monkeypatch):
    from nightshift.settings.loader import config_folder

    folder = tmp_path / "mine"
    folder.mkdir()
    for path in (config_folder() / "demo").glob("*.toml"):
        text = path.read_text().replace('exposure_id = "{exposure}"', 'exposure_id = "{nuber}"')
        (folder / path.name).write_text(text)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    with pytest.raises(SettingsError, match=r"camera.toml: camera.file_names.exposure_id = '\{nuber\}': .*detector"):
        load_survey("mine")


def test_who_has_only_the_name_knows_the_id_where_name_and_night_are_enough():
    name = parse_name("img_0007_c2.fits", camera("{exposure}"))
    assert exposure_id_by_name(name, camera("{exposure}")) == "0007"
    assert exposure_id_by_name(name, camera("{night}_{exposure}")) is None
    assert exposure_id_by_name(name, camera("{night}_{exposure}"), NIGHT) == "20260115_0007"
    assert exposure_id_by_name(name, camera("{exposure}_{header:OBSID}"), NIGHT) is None
    assert frame_of_name("img_0007_c2.fits", camera("{exposure}_{header:OBSID}"), NIGHT).exposure_id is None


@pytest.mark.parametrize("template", ["{night}_{exposure}", "{exposure}_{header:OBSID}"])
def test_files_of_one_exposure_are_known_by_their_names(template):
    first, second, other = (
        one_exposure(n, camera(template)) for n in ("img_0007_c1.fits", "img_0007_c2.fits", "img_0008_c1.fits")
    )
    assert first == second != other


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)), st.integers(0, 9999), st.integers(0, 9999))
def test_no_two_nights_and_numbers_share_an_id(night, first, second):
    pairs = [(n, k) for n in (night, NIGHT) for k in (first, second)]
    ids = {made("{night}_{exposure}", night=n, name=f"img_{k:04d}_c1.fits") for n, k in pairs}
    assert len(ids) == len({night, NIGHT}) * len({first, second})


def test_a_file_of_a_night_is_written_with_its_night_before_it():
    assert file_of_night("20260115/img.fits") == (NIGHT, "img.fits")
    for other in ("img.fits", "democam/0007/d01", "democam/0007", "20261315/img.fits"):
        assert file_of_night(other) == (None, other)
