"""A survey is a folder of TOML files, read and checked once.

`load_survey` returns a frozen `Survey`, the settings of one instrument; `load_deployment` returns the `Deployment`
with one of them an instrument. A mistake in a file raises `SettingsError`, which names the file, the key, the value
and what is allowed.
"""

from nightshift.settings.deployment import Deployment
from nightshift.settings.loader import (
    SettingsError,
    bad_pixels_file,
    camera_file,
    load_deployment,
    load_survey,
    names_in_folder,
    settings_hash,
    survey_names,
)
from nightshift.settings.models import Camera, Field, Filter, Quadrant, Survey

__all__ = [
    "Camera",
    "Deployment",
    "Field",
    "Filter",
    "Quadrant",
    "SettingsError",
    "Survey",
    "bad_pixels_file",
    "camera_file",
    "load_deployment",
    "load_survey",
    "names_in_folder",
    "settings_hash",
    "survey_names",
]
