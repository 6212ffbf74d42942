"""Which nights are old enough that a kind of file may leave the depot, by the nights that the ledger knows."""

from dataclasses import dataclass
from datetime import date, timedelta

from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries.housekeeping import ObservedNight
from nightshift.nights import night_of
from nightshift.settings.retention import ALWAYS, KEYS_OF_PRODUCTS, RetentionPolicy
from nightshift.vocabulary import Reason

__all__ = ["ObservedNights", "Rule", "observed_nights", "rules"]


@dataclass(frozen=True)
class Rule:
    """How long one kind of file stays.

    Parameters
    ----------
    kind : str
        As in the table ``archive_files``.
    key : str
        The setting, as a person finds it.
    nights : int
        Observed nights of the site after its own.
    """

    kind: str
    key: str
    nights: int

    def __str__(self) -> str:
        return f"retention.{self.key} = {self.nights}"


@dataclass(frozen=True)
class ObservedNights:
    """The nights of a site of which exposures came, the newest first.

    The age of a file is counted in them: a clock that leaps makes no night older, and a season of clouds neither.
    """

    nights: tuple[ObservedNight, ...]

    @property
    def newest(self) -> date:
        """The newest of them."""
        return self.nights[0].night

    def older_than(self, nights: int) -> tuple[ObservedNight, ...]:
        """Return those that have at least so many after them, the oldest first."""
        return self.nights[nights:][::-1]

    def since(self, night: date) -> int:
        """Return how many came after a night."""
        return sum(each.night > night for each in self.nights)


def rules(policy: RetentionPolicy) -> tuple[Rule, ...]:
    """Return the rules of the settings: of each kind of file that ever leaves."""
    keys = {"raw": "raw_nights", "packets": "packets_nights", "quarantine": "quarantine_nights"}
    keys |= {f"product/{kind}": key for kind, key in KEYS_OF_PRODUCTS.items()}
    of_kinds = {kind: (key, policy.nights(key)) for kind, key in keys.items()}
    of_kinds |= {f"product/{kind}": (f"other_nights.{kind}", nights) for kind, nights in policy.other_nights.items()}
    return tuple(Rule(kind, key, nights) for kind, (key, nights) in of_kinds.items() if nights != ALWAYS)


def observed_nights(context: Context) -> ObservedNights | None:
    """Return the nights by which the age of files is counted; None where there is none yet.

    Raises
    ------
    NeedsOperator
        If the clock and the ledger disagree about what night it is: nothing is deleted by either then.
    """
    nights = housekeeping_queries.observed_nights(context.ledger, site=context.site.name)
    if not nights:
        return None
    observed = ObservedNights(tuple(nights))
    tonight, apart = night_of(context.site, context.clock.now()), context.retention_policy.clock_apart_days
    if observed.newest > tonight + timedelta(days=1):
        raise NeedsOperator(
            Reason.CLOCK_DISAGREES,
            f"the ledger has exposures of {observed.newest} and the clock says that it is the night of {tonight}: "
            "one of them is wrong, and nothing is deleted until they agree. Set the clock, or look at the camera's.",
        )
    if tonight - observed.newest > timedelta(days=apart):
        raise NeedsOperator(
            Reason.CLOCK_DISAGREES,
            f"the newest exposures of the ledger are of {observed.newest} and the clock says that it is the night of "
            f"{tonight}: after {apart} days without any (retention.clock_apart_days) nothing is deleted. If the "
            "clock is right, the first night of the new season ends this.",
        )
    return observed
