"""Whether the frames' fields are known, and what their stars are compared with."""

from collections.abc import Iterator, Sequence

from nightshift.catalogue.folder import catalogue_folder
from nightshift.settings import Survey
from nightshift.trial_reduction.frames import TrialFrame, science_frames
from nightshift.trial_reduction.remarks import Remark, error, good, warning

__all__ = ["check_sky"]


def check_sky(survey: Survey, frames: Sequence[TrialFrame]) -> Iterator[Remark]:
    """Yield which science frames lie in no field, and which fields have no catalogue."""
    taken = science_frames(frames)
    homeless = [item for item in taken if item.frame.field is None]
    if homeless:
        yield _no_field(survey, homeless, len(taken))
    for number in sorted({item.frame.field for item in taken if item.frame.field is not None}):
        yield _catalogue_of(survey, number)


def _no_field(survey: Survey, homeless: Sequence[TrialFrame], of: int) -> Remark:
    header = homeless[0].frame.header
    pointing = (
        "whose header gives no pointing"
        if header.ra_deg is None or header.dec_deg is None
        else f"at {header.ra_deg:.4f} {header.dec_deg:+.4f} deg"
    )
    text = (
        f"{len(homeless)} of {of} science frames lie in no field of the survey, so that they are neither differenced "
        f"nor searched: {homeless[0].path.name}, {pointing}"
    )
    severity = error if len(homeless) == of else warning
    return severity(survey, text, "fields.toml", "sky.fields")


def _catalogue_of(survey: Survey, number: int) -> Remark:
    name = survey.catalogue_of(number)
    if name is None:
        return warning(
            survey,
            f"field {number} has no catalogue: its frames are calibrated against its own first good frame, so that "
            "zero points and limits are relative. `nightshift catalogue prepare` makes one",
            "fields.toml", f"catalogue of field {number}",
        )  # fmt: skip
    file = catalogue_folder(survey) / name
    if not file.is_file():
        return error(
            survey,
            f"the catalogue of field {number} is not there: {file}. `nightshift catalogue prepare` makes it",
            "fields.toml", f"catalogue of field {number}",
        )  # fmt: skip
    return good(f"field {number} is calibrated against {name}")
