"""The families of metrics: one function each, registered with its name, its help and its labels.

Names and units follow Prometheus' own rules (base units, no state in a name). A measurement of the registry
(`nightshift.vocabulary.measurements`) is a family of its own without a word here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from nightshift.context import Context
from nightshift.housekeeping.disk_watch import DiskState, disk_states
from nightshift.keys import LIVE
from nightshift.ledger.queries import metrics as queries
from nightshift.ledger.queries import night_watch as watch_queries
from nightshift.ledger.queries.metrics import NewestNight
from nightshift.vocabulary import Tier, all_measurements

__all__ = ["Family", "Row", "SiteNight", "family", "registered_families", "site_nights"]

LATELY = 10  # exposures that tell how images are
Row = tuple[tuple[str, ...], float]  # the values of the labels, and the number


@dataclass(frozen=True)
class SiteNight:
    """A site with its newest night: what a scrape is about."""

    context: Context
    row: NewestNight

    @property
    def site(self) -> str:
        """The site's name."""
        return self.context.site.name

    @property
    def night(self) -> date:
        """The date of its evening."""
        return self.row.night

    @cached_property
    def disks(self) -> list[DiskState]:
        """How the disks stand: asked once for all families."""
        return disk_states(self.context)

    @cached_property
    def image_medians(self) -> dict[str, list[Row]]:
        """What the last images of each instrument measure, by the measurement's name: asked once for all families."""
        found: dict[str, list[Row]] = {}
        names = [measurement.name for measurement in all_measurements()]
        for instrument in self.context.deployment.instruments:
            rows = watch_queries.recent_medians(
                self.context.ledger, instrument=instrument, night=self.night, exposures=LATELY, at_least=1,
                names=names, tier=Tier.PROCESSED, campaign=LIVE,
            )  # fmt: skip
            for row in rows:
                found.setdefault(row.name, []).append(((instrument, row.filter), row.median))
        return found


@dataclass(frozen=True)
class Family:
    """Metrics of one name.

    Parameters
    ----------
    name : str
        With the prefix ``nightshift_``.
    says : str
        Its help, one sentence.
    labels : tuple of str
    rows : callable
        Gives the values of the labels and the number, given a site with its newest night.
    """

    name: str
    says: str
    labels: tuple[str, ...]
    rows: Callable[[SiteNight], Iterator[Row]]


_families: list[Family] = []

Rows = Callable[[SiteNight], Iterator[Row]]


def family(name: str, says: str, *labels: str) -> Callable[[Rows], Rows]:
    """Register a function as a family (`Family`); its name gets the prefix."""

    def register(rows: Rows) -> Rows:
        _families.append(Family(f"nightshift_{name}", says, labels, rows))
        return rows

    return register


def registered_families() -> tuple[Family, ...]:
    """Return the families of the modules that were read, in that order."""
    return tuple(_families)


def site_nights(context: Context) -> Iterator[SiteNight]:
    """Give each site that has a night with that night, in the settings' order."""
    for of_site in context.sites():
        row = queries.newest_night(context.ledger, site=of_site.site.name)
        if row is not None:
            yield SiteNight(of_site, row)
