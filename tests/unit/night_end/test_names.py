"""What a name on the manifest says of a file that nobody has seen."""

from datetime import date

from nightshift.night_end.named_frames import NamedFrame, frame_of_name
from nightshift.settings import load_survey
from nightshift.vocabulary import ImageType

NIGHT = date(2026, 1, 15)


def test_a_name_that_holds_the_type_tells_a_bias_from_a_science_frame():
    camera = load_survey("ztf").camera
    bias = frame_of_name("ztf_20180912123456_000000_00_c03_b.fits.fz", camera, NIGHT)
    sky = frame_of_name("ztf_20180912123456_000651_zr_c16_o.fits.fz", camera, NIGHT)
    assert bias == NamedFrame("20180912123456", 3, ImageType.BIAS)
    assert sky == NamedFrame("20180912123456", 16, ImageType.SCIENCE)


def test_a_type_that_only_the_header_knows_stays_unknown():
    assert frame_of_name("demo_20260115040000_d02.fits", load_survey("demo").camera, NIGHT) == NamedFrame(
        "20260115040000", 2, None
    )


def test_a_camera_with_one_detector_needs_no_detector_in_its_names():
    assert frame_of_name("20190326.0140.fits", load_survey("lowell42").camera, NIGHT) == NamedFrame(
        "20190326.0140", 1, None
    )


def test_a_name_of_another_kind_is_no_frame():
    assert frame_of_name("manifest_20260115.json", load_survey("demo").camera, NIGHT) is None
