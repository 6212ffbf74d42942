"""A survey of several sites and instruments: how its folder is read, and which mistakes are refused."""

import re
import shutil
from pathlib import Path

import pytest

from nightshift.settings import SettingsError, load_deployment, load_survey, survey_names
from nightshift.settings.loader import config_folder

SHIPPED = config_folder() / "network"


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A copy of the shipped network whose files a test may change."""
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    shutil.copytree(SHIPPED, tmp_path / "network")
    return tmp_path / "network"


def change(file: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, file.read_text(), flags=re.MULTILINE)
    assert count, f"{file} has no {pattern}"
    file.write_text(changed)


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_deployment("network")
    return str(caught.value)


def test_a_survey_of_one_instrument_is_a_deployment_of_one():
    deployment = load_deployment("demo")
    assert deployment.instruments == ("democam",)
    assert deployment.survey == load_survey("demo")
    assert deployment.name_of("democam") == "demo"
    assert not deployment.has_several_sites


def test_the_shipped_network_has_two_hemispheres_and_three_cameras_of_two_kinds():
    deployment = load_deployment("network")
    assert deployment.instruments == ("north_single", "north_wide", "south_wide")
    latitudes = {site.name: site.latitude_deg for site in deployment.sites}
    assert latitudes["north"] > 0 > latitudes["south"]
    assert len({site.time_zone for site in deployment.sites}) == 2
    assert {len(survey.camera.quadrants) for survey in deployment.surveys} == {1, 2}
    assert [s.camera.instrument for s in deployment.surveys_of_site("north")] == ["north_single", "north_wide"]


def test_an_instruments_own_tables_lie_over_those_of_all_key_by_key():
    single, wide = (load_survey(f"network/{name}") for name in ("north_single", "north_wide"))
    assert (single.calibration.quiet_s, wide.calibration.quiet_s) == (15.0, 20.0)
    assert single.calibration.flat_level_adu == wide.calibration.flat_level_adu == (3000.0, 45000.0)
    assert [field.id for field in single.sky.fields] == [202]
    assert single.sky.filters == wide.sky.filters


def test_a_survey_of_several_instruments_lists_them_where_none_is_named():
    with pytest.raises(SettingsError, match=r"north_single, north_wide, south_wide.*--instrument"):
        load_survey("network")
    with pytest.raises(SettingsError, match=r"no instrument 'east'.*north_single"):
        load_survey("network/east")


def test_what_is_narrowed_knows_what_is_elsewhere():
    north = load_deployment("network").of_site("north")
    assert north.instruments == ("north_single", "north_wide")
    assert north.elsewhere == ("south", "south_wide")
    assert north.has_several_sites
    assert north.of_work({"site": "north", "night": "2026-01-15"}).survey.site.name == "north"
    with pytest.raises(SettingsError, match="no site 'south'"):
        north.of_site("south")


def test_two_sites_with_one_name_are_refused(network):
    change(network / "sites/south.toml", '^name = "south"', 'name = "north"')
    assert re.search(r"south\.toml: site\.name = 'north' is the name of the site in .*north\.toml.*rename", refusal())


def test_a_camera_id_that_is_used_twice_is_refused(network):
    shutil.copytree(network / "cameras/north_wide", network / "cameras/other")
    assert "camera.instrument = 'north_wide' is used twice" in refusal()
    assert "give this camera an id of its own" in refusal()


def test_an_instrument_at_two_sites_is_refused(network):
    shutil.copytree(network / "cameras/north_wide", network / "cameras/other")
    change(network / "cameras/other/camera.toml", "^site = .*", 'site = "south"')
    assert "used twice (at south and at north): an instrument stands at one site" in refusal()
    change(network / "cameras/other/camera.toml", "^site = .*", 'site = ["north", "south"]')
    assert "an instrument stands at one site" in refusal()


def test_a_camera_that_names_an_unknown_site_or_none_is_refused(network):
    change(network / "cameras/south_wide/camera.toml", "^site = .*", 'site = "sourth"')
    assert "site = 'sourth'" in refusal()
    assert "there are north, south" in refusal()
    change(network / "cameras/south_wide/camera.toml", "^site = .*", "")
    assert "site = None" in refusal()


def test_a_site_without_a_camera_is_refused(network):
    shutil.rmtree(network / "cameras/south_wide")
    assert "no camera names the site south" in refusal()


def test_cameras_that_no_file_tells_apart_are_refused(network):
    change(network / "cameras/south_wide/camera.toml", "^header_name = .*", 'header_name = "^NORTH_WIDE$"')
    assert "north_wide and south_wide have the same file_names.pattern" in refusal()


def test_a_header_name_that_holds_anothers_is_refused_where_file_names_are_alike(network):
    change(network / "cameras/south_wide/camera.toml", "^header_name = .*", 'header_name = "WIDE"')
    assert "north_wide and south_wide have the same file_names.pattern, and a header can fit" in refusal()


def test_the_site_is_asked_for_where_there_are_several_and_taken_where_there_is_one():
    several, one = load_deployment("network"), load_deployment("demo")
    assert several.site_named("south").name == "south"
    with pytest.raises(SettingsError, match=r"has the sites north, south: say which one is meant \(--site\)"):
        several.site_named(None)
    with pytest.raises(SettingsError, match="has no site 'east'; there are north, south"):
        several.site_named("east")
    assert one.site_named(None).name == one.site_named("demo").name == "demo"


def test_a_sites_night_is_the_same_for_all_of_its_cameras(network):
    (network / "cameras/north_single/policy.toml").write_text("[night]\ngrace_s = 99.0\n")
    assert "different tables [night], which hold for the whole site" in refusal()


def test_a_mistake_in_a_cameras_own_file_names_that_file_and_key(network):
    change(network / "cameras/north_single/policy.toml", "^quiet_s = .*", "quiet_s = -1.0")
    assert re.search(r"north_single/policy\.toml: calibration\.quiet_s = -1\.0", refusal())


def test_a_folder_of_both_forms_is_refused(network):
    shutil.copy(network / "sites/north.toml", network / "site.toml")
    assert "has both site.toml and survey.toml" in refusal()
    assert survey_names() == ("network",)


def test_instruments_whose_alerts_would_share_ids_are_refused(network):
    change(network / "cameras/north_single/camera.toml", "^number = .*", "number = 2")
    assert re.search(r"north_wide/camera\.toml: camera\.number = 2 is that of north_single too", refusal())
    change(network / "policy.toml", "^ids = .*", 'ids = "ztf"')
    assert "numbers the candidates of one instrument, and network has 3" in refusal()
