"""What the morning's mail and report are to be like."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, model_validator
from pydantic import Field as Key

from nightshift.settings.base_table import Positive, Table

__all__ = ["ReportPolicy"]

# --- policy.toml -------------------------------------------------------------------------------------------


def _address(text: str) -> str:
    if text and not (text.startswith(("http://", "https://")) and text.isprintable() and " " not in text):
        raise ValueError("an address as a browser takes it: https://nightshift.example.org/report")
    return text.rstrip("/")


class ReportPolicy(Table):
    """The morning's mail and the page of the same report."""

    page_url: Annotated[str, AfterValidator(_address)] = ""  # where the depot's `reports` are served; none: no links
    airflow_url: Annotated[str, AfterValidator(_address)] = ""  # of Airflow's pages, as readers reach them
    quality_nights: Annotated[int, Key(ge=1, le=60)] = 14  # before this one that its image quality is set against
    masters_fresh_days: Annotated[int, Key(ge=1)] = 7  # a master younger than this is green
    masters_old_days: Annotated[int, Key(ge=1)] = 14  # one older than this is red
    mail_at_most_mb: Positive = 2.0  # pictures that would make the mail larger are left to the page

    @property
    def masters_look_back(self) -> timedelta:
        """How far back a master is looked for at least: one that is red is still found and named."""
        return timedelta(days=2 * self.masters_old_days)

    @model_validator(mode="after")
    def _fresh_before_old(self) -> "ReportPolicy":
        if self.masters_fresh_days > self.masters_old_days:
            raise ValueError("masters_fresh_days must not exceed masters_old_days")
        return self
