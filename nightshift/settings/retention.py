"""How long files stay in the depot, and when a disk that fills up is said."""

from typing import Annotated, Literal

from pydantic import Field as Key
from pydantic import model_validator

from nightshift.settings.base_table import Positive, Table
from nightshift.vocabulary import CalibrationKind

__all__ = ["ALWAYS", "KEYS_OF_PRODUCTS", "DiskPolicy", "RetentionPolicy"]

ALWAYS: Literal["always"] = "always"
Nights = Annotated[int, Key(ge=3)] | Literal["always"]
LEAST_DIFFERENCE_NIGHTS = 30  # forced photometry at an object's place looks back so far
KEYS_OF_PRODUCTS = {
    "calibrated": "calibrated_nights",
    "sources": "sources_nights",
    "difference": "differences_nights",
    "cutouts": "cutouts_nights",
}
"""The key of each product that has one."""
LASTING = (*map(str, CalibrationKind), "reference", "reference_sources")  # they serve later nights

# --- policy.toml -------------------------------------------------------------------------------------------


class RetentionPolicy(Table):
    """For how many observed nights of the site files stay in the depot; the archive and the second copy keep them.

    A night counts when exposures of it came, so that neither a clock that leaps nor a season of clouds deletes
    anything. Only what the archive and a second place hold, read back and found equal, is ever deleted. Masters,
    references, manifests and reports always stay.
    """

    keep: bool = False  # true: nothing is ever deleted
    raw_nights: Nights = 60  # raw files; or "always"
    calibrated_nights: Nights = 60  # calibrated images with their masks; those that a reference is made of stay
    sources_nights: Nights = 120  # tables of sources; those that a reference is made of, or serve as catalogue, stay
    differences_nights: Nights = 60  # difference images, at least 30: forced photometry looks back so far
    cutouts_nights: Nights = 60  # stamps of candidates
    packets_nights: Nights = 60  # alert packets; at least `alerts.history_days`
    quarantine_nights: Nights = 365  # files in quarantine
    other_nights: dict[str, Nights] = Key(default_factory=dict)  # products of a site's own kinds of work; else always
    attempts_nights: Nights = 3  # folders of jobs of which every attempt succeeded; their results are in the ledger
    failed_attempts_nights: Nights = 30  # folders of the other jobs
    files_at_once: Annotated[int, Key(ge=1)] = 200_000  # that one clean-up deletes at most; the next goes on
    clock_apart_days: Annotated[int, Key(ge=2)] = 60  # no night came for so long: the clock may err, nothing leaves
    detach_months_after: Annotated[int, Key(ge=1)] | None = None  # months are named for `ledger detach`; none: never

    @model_validator(mode="after")
    def _nothing_needed_is_deleted(self) -> "RetentionPolicy":
        if self.differences_nights != ALWAYS and self.differences_nights < LEAST_DIFFERENCE_NIGHTS:
            raise ValueError(
                f"differences_nights = {self.differences_nights}: forced photometry needs the difference images of "
                f"at least {LEAST_DIFFERENCE_NIGHTS} nights"
            )
        if lasting := sorted(set(self.other_nights) & set(LASTING)):
            raise ValueError(f"other_nights: {', '.join(lasting)} serve later nights and are never deleted")
        if own := sorted(set(self.other_nights) & set(KEYS_OF_PRODUCTS)):
            raise ValueError(f"other_nights: {', '.join(own)} have keys of their own, such as calibrated_nights")
        return self

    def nights(self, key: str) -> "Nights":
        """Return what one of the keys says that ends with ``_nights``."""
        found: Nights = getattr(self, key)
        return found

    def check_history(self, history_days: float) -> None:
        """Check that alert packets outlive the history that new alerts bring.

        Parameters
        ----------
        history_days : float
            `alerts.history_days`.

        Raises
        ------
        ValueError
            If they do not.
        """
        for key in ("packets_nights", "differences_nights"):
            nights = self.nights(key)
            if nights != ALWAYS and nights < history_days:
                raise ValueError(
                    f"retention.{key} = {nights}, and the alerts of a night look back {history_days:g} days "
                    "(alerts.history_days): keep them at least as long"
                )


class DiskPolicy(Table):
    """When it is said that a disk fills up: at the rate of the last nights, by what is free."""

    nights: Annotated[int, Key(ge=4)] = 14  # whose growth the forecast is made from
    warn_days: Positive = 14.0  # full in fewer days: a warning
    page_days: Positive = 3.0  # full in fewer days: somebody must act tonight
    warn_free: Annotated[float, Key(ge=0, le=1)] = 0.1  # share of the disk that is free; less: a warning
    page_free: Annotated[float, Key(ge=0, le=1)] = 0.03  # less: somebody must act tonight

    @model_validator(mode="after")
    def _pages_after_warning(self) -> "DiskPolicy":
        if self.page_days > self.warn_days or self.page_free > self.warn_free:
            raise ValueError("page_days and page_free must not exceed warn_days and warn_free")
        return self
