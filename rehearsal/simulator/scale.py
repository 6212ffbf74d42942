"""How large a simulated night is."""

from dataclasses import dataclass

from nightshift.settings import Camera, Field, Quadrant, SettingsError, Survey
from rehearsal.simulator.image_sections import bounds, section_text

__all__ = ["SMALL", "NightScale", "resized_survey"]


@dataclass(frozen=True)
class NightScale:
    """How much of a survey's night is simulated. The defaults are a whole demonstration night.

    Parameters
    ----------
    fields : tuple of int, or int, optional
        Ids of the fields, or the first so many of the survey's. None: all.
    filters : tuple of str, or int, optional
        Names of the filters, or the first so many. None: all.
    detectors : tuple of int, optional
        None: all in service. Others are left out of the night as if they had been taken out of service.
    visits : int
        Science exposures of each field in each filter.
    biases, darks, flats : int
        Exposures of each calibration sequence; flats are counted a filter.
    exposure_s, dark_s : float
        Exposure times in seconds.
    shape : tuple of int, optional
        Rows and columns of a quadrant's data, where the camera is to be made smaller.
    """

    fields: tuple[int, ...] | int | None = None
    filters: tuple[str, ...] | int | None = None
    detectors: tuple[int, ...] | None = None
    visits: int = 10
    biases: int = 8
    darks: int = 6
    flats: int = 6
    exposure_s: float = 30.0
    dark_s: float = 120.0
    shape: tuple[int, int] | None = None

    def chosen_fields(self, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """Return which of a survey's fields are simulated."""
        if isinstance(self.fields, int):
            return fields[: self.fields]
        return tuple(f for f in fields if self.fields is None or f.id in self.fields)

    def chosen_filters(self, survey: Survey) -> tuple[str, ...]:
        """Return the names of the filters that are simulated.

        Raises
        ------
        SettingsError
            If the survey has none of them.
        """
        names = tuple(f.name for f in survey.sky.filters)
        if isinstance(self.filters, int):
            return names[: self.filters]
        chosen = tuple(n for n in names if self.filters is None or n in self.filters)
        if not chosen:
            raise SettingsError(f"survey {survey.name} has no filter of {self.filters}; it has {names}")
        return chosen


SMALL = NightScale(fields=1, filters=1, visits=8, biases=5, darks=5, flats=5)
"""One field and one filter of every detector: what a test needs, in a few seconds."""


def resized_survey(survey: Survey, scale: NightScale) -> Survey:
    """Return the survey with the camera that the scale asks for: fewer detectors, smaller quadrants."""
    camera = survey.camera
    if scale.detectors is not None:
        chosen = tuple(
            d.model_copy(update={"in_service": d.in_service and d.id in scale.detectors}) for d in camera.detectors
        )
        camera = camera.model_copy(update={"detectors": chosen})
    if scale.shape is not None:
        camera = _smaller(camera, scale.shape)
    return survey.model_copy(update={"camera": camera})


def _smaller(camera: Camera, shape: tuple[int, int]) -> Camera:
    quadrants = tuple(_smaller_quadrant(q, shape) for q in camera.quadrants)
    return camera.model_copy(update={"quadrants": quadrants})


def _smaller_quadrant(quadrant: Quadrant, shape: tuple[int, int]) -> Quadrant:
    rows, columns = shape
    if quadrant.data_section is None:
        return quadrant.model_copy(update={"shape": shape})
    data = bounds(quadrant.data_section)
    lost = (data[1] - data[0]) - columns
    update: dict[str, object] = {
        "shape": (rows, quadrant.shape[1] - lost),
        "data_section": section_text(data[0], data[0] + columns, 0, rows),
    }
    if quadrant.overscan_section is not None:
        x0, x1, _, _ = bounds(quadrant.overscan_section)
        shift = lost if x0 >= data[1] else 0
        update["overscan_section"] = section_text(x0 - shift, x1 - shift, 0, rows)
    return quadrant.model_copy(update=update)
