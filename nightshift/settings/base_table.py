"""What all tables of the settings have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Key

__all__ = ["Positive", "Table"]

Positive = Annotated[float, Key(gt=0)]


class Table(BaseModel):
    """A table that allows no unknown key and does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
