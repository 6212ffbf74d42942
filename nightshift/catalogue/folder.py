"""Where prepared catalogues lie: beside the survey's settings, from where a stack takes them into its depot."""

from pathlib import Path

from nightshift.depot import Depot
from nightshift.files import copy_whole, sha256_of
from nightshift.settings import Survey
from nightshift.settings.loader import config_folder

__all__ = ["catalogue_folder", "place_catalogues"]


def catalogue_folder(survey: Survey) -> Path:
    """Return the folder of a survey's prepared catalogues."""
    return config_folder() / survey.name / "catalogues"


def place_catalogues(survey: Survey, depot: Depot) -> list[Path]:
    """Copy the catalogues that the survey's fields name into the depot, those that it lacks or has otherwise.

    Returns
    -------
    list of Path
        What was copied, in the depot.
    """
    placed = []
    named = {survey.catalogue_of(field.id) for field in survey.sky.fields}
    for name in sorted(str(name) for name in named if name is not None):
        source, target = catalogue_folder(survey) / name, depot.catalogue(name)
        if source.is_file() and not (target.is_file() and sha256_of(target) == sha256_of(source)):
            copy_whole(source.resolve(), target)  # it may be a link to where a site keeps its catalogues
            placed.append(target)
    return placed
