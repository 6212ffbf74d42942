"""Names, image types and fields, for every shipped camera."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.errors import BadInput
from nightshift.ingest.classify import classify, field_of, filter_of
from nightshift.ingest.header import read_header
from nightshift.ingest.naming import exposure_id_by_name, parse_name, shown
from nightshift.settings import load_survey
from nightshift.vocabulary import ImageType, Reason

DEMO, LOWELL, ZTF = (load_survey(name) for name in ("demo", "lowell42", "ztf"))


@pytest.mark.parametrize(
    ("survey", "name", "exposure_id", "detector"),
    [
        (DEMO, "demo_20260116080000_d02.fits", "20260116080000", 2),
        (DEMO, "demo_20260116080000_d02.fits.fz", "20260116080000", 2),
        (LOWELL, "20190326.0126.fits.fz", "20190326.0126", None),
        (ZTF, "ztf_20180418202657_000561_zr_c11_o.fits.fz", "20180418202657", 11),
    ],
)
def test_names_are_parsed_by_the_cameras_pattern(survey, name, exposure_id, detector):
    parsed = parse_name(name, survey.camera)
    assert (exposure_id_by_name(parsed, survey.camera), parsed.detector) == (exposure_id, detector)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("demo_20260116080000_d02.fits.bak", Reason.NAME_NOT_RECOGNISED),
        ("DEMO_20260116080000_d02.fits", Reason.NAME_NOT_RECOGNISED),
        ("../demo_20260116080000_d02.fits", Reason.NAME_UNSAFE),
        ("demo_20260116080000_d02.fits\n", Reason.NAME_UNSAFE),
        ("demo_٢٠٢٦٠١١٦٠٨٠٠٠٠_d02.fits", Reason.NAME_UNSAFE),
        ("n" * 300, Reason.NAME_UNSAFE),
        ("", Reason.NAME_UNSAFE),
    ],
)
def test_other_names_are_refused(name, reason):
    with pytest.raises(BadInput) as caught:
        parse_name(name, DEMO.camera)
    assert caught.value.reason is reason


@given(st.text(max_size=300))
def test_a_name_that_is_accepted_is_safe_as_a_path(name):
    for survey in (DEMO, LOWELL, ZTF):
        try:
            exposure_id = exposure_id_by_name(parse_name(name, survey.camera), survey.camera)
        except BadInput:
            continue
        assert name.isascii()
        assert "/" not in exposure_id
        assert exposure_id.strip(".")


@given(st.binary(max_size=50))
def test_any_name_can_be_shown(name):
    text = shown(name.decode("utf-8", "surrogateescape"))
    assert text.isprintable()
    text.encode()


@pytest.mark.parametrize(
    ("survey", "name", "header", "kind"),
    [
        (DEMO, "demo_20260116080000_d02.fits", {"IMAGETYP": " SkyFlat "}, ImageType.FLAT),
        (LOWELL, "20190326.0100.fits.fz", {"OBSTYPE": "SKYFLAT"}, ImageType.FLAT),
        (LOWELL, "20190326.0126.fits.fz", {"OBSTYPE": "OBJECT"}, ImageType.SCIENCE),
        (ZTF, "ztf_20180418202657_000000_bi_c11_b.fits.fz", {}, ImageType.BIAS),
    ],
)
def test_image_types_follow_the_cameras_rules(survey, name, header, kind):
    assert classify(header, parse_name(name, survey.camera), survey.camera) is kind


def science(survey, **header):
    keys = {"EXPTIME": 30, "DATE-OBS": "2026-01-16T08:00:00", **header}
    return read_header(keys, survey.camera.header, ImageType.SCIENCE)


@pytest.mark.parametrize(
    ("ra", "dec", "field"), [(150.1, 22.3, 101), (359.9, -1.5, 102), (0.1, -1.45, 102), (150.1, 22.5, None)]
)
def test_a_field_is_found_by_pointing_across_the_origin_of_right_ascension(ra, dec, field):
    name = parse_name("demo_20260116080000_d02.fits", DEMO.camera)
    assert field_of(science(DEMO, RA=ra, DEC=dec), name, DEMO) == field


def test_a_field_is_found_by_name_where_the_survey_says_so():
    name = parse_name("ztf_20180418202657_000561_zr_c11_o.fits.fz", ZTF.camera)
    assert field_of(science(ZTF), name, ZTF) == 561
    assert filter_of(science(ZTF), name, ImageType.SCIENCE, ZTF) == "zr"


def test_a_field_is_found_by_object_where_the_survey_says_so():
    fields = tuple(f.model_copy(update={"object_pattern": "(?i)^leo"}) for f in DEMO.sky.fields[:1])
    survey = DEMO.model_copy(update={"sky": DEMO.sky.model_copy(update={"field_from": "object", "fields": fields})})
    name = parse_name("demo_20260116080000_d02.fits", DEMO.camera)
    assert field_of(science(survey, OBJECT="LEO edge"), name, survey) == 101
    assert field_of(science(survey, OBJECT="Virgo"), name, survey) is None


def test_filters_are_known_by_every_spelling_and_no_light_has_none():
    name = parse_name("demo_20260116080000_d02.fits", DEMO.camera)
    assert filter_of(science(DEMO, FILTER="demo-r"), name, ImageType.SCIENCE, DEMO) == "r"
    assert filter_of(science(DEMO, FILTER="demo-r"), name, ImageType.BIAS, DEMO) == ""
    with pytest.raises(BadInput, match="ultraviolet"):
        filter_of(science(DEMO, FILTER="ultraviolet"), name, ImageType.FLAT, DEMO)
