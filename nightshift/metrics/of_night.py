"""How the newest night of each site stands: files, exposures, quadrants, jobs."""

from collections.abc import Iterator

from nightshift.keys import LIVE
from nightshift.ledger.queries import metrics as queries
from nightshift.metrics.families import Row, SiteNight, family
from nightshift.vocabulary import NightState, Tier, UnitState

__all__ = ["exposures", "files", "jobs", "night_began", "night_state", "units"]


@family("night_state", "1 for the state of the newest night, 0 for the others.", "site", "state")
def night_state(of: SiteNight) -> Iterator[Row]:
    """Give each state a night can have."""
    for state in NightState:
        yield (of.site, state), float(state is of.row.state)


@family("night_begins_timestamp_seconds", "When the newest night began: noon at the site.", "site")
def night_began(of: SiteNight) -> Iterator[Row]:
    """Give its beginning."""
    yield (of.site,), of.row.begins.timestamp()


@family("night_files", "Files of the newest night that came, by what became of them.", "site", "disposition")
def files(of: SiteNight) -> Iterator[Row]:
    """Give the files by disposition."""
    for row in queries.files_by_disposition(of.context.ledger, site=of.site, night=of.night):
        yield (of.site, row.disposition), row.files


@family("night_exposures", "Exposures of the newest night.", "site", "instrument", "image_type", "state")
def exposures(of: SiteNight) -> Iterator[Row]:
    """Give the exposures of each instrument."""
    for instrument in of.context.deployment.instruments:
        rows = queries.exposures_by_state(of.context.ledger, site=of.site, night=of.night, instrument=instrument)
        for row in rows:
            yield (of.site, instrument, row.image_type, row.state), row.exposures


@family("night_units", "Quadrants of the newest night's science exposures.", "site", "instrument", "state")
def units(of: SiteNight) -> Iterator[Row]:
    """Give the units of each instrument, also the states that none is in."""
    for instrument in of.context.deployment.instruments:
        rows = queries.units_by_state(
            of.context.ledger, instrument=instrument, night=of.night, tier=Tier.PROCESSED, campaign=LIVE
        )
        found = {row.state: row.units for row in rows}
        for state in UnitState:
            yield (of.site, instrument, state), found.get(state, 0)


@family("jobs_open", "Units of work that a runner has or is about to get, of all nights.", "site", "kind", "state")
def jobs(of: SiteNight) -> Iterator[Row]:
    """Give the open attempts by kind of work."""
    for row in queries.open_attempts(of.context.ledger, site=of.site):
        yield (of.site, row.kind, row.state), row.attempts
