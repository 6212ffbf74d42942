"""The observing night: local noon to local noon at the site, named by the date of its evening."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nightshift.settings.models import Site

__all__ = ["night_bounds", "night_of"]


def night_of(site: Site, moment: datetime) -> date:
    """Return the night that an aware moment belongs to. Local noon itself begins the night."""
    local = moment.astimezone(ZoneInfo(site.time_zone))
    return local.date() if local.time() >= time(12) else local.date() - timedelta(days=1)


def night_bounds(site: Site, night: date) -> tuple[datetime, datetime]:
    """Return the two local noons of a night, aware, in UTC."""
    zone = ZoneInfo(site.time_zone)
    begins = datetime.combine(night, time(12), zone).astimezone(UTC)
    ends = datetime.combine(night + timedelta(days=1), time(12), zone).astimezone(UTC)
    return begins, ends
