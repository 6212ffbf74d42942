"""What is done once the quadrants of an exposure are in: their alerts are released, behind the flood guard."""

from nightshift.alerts import release
from nightshift.vocabulary import JobKind
from nightshift.workflow.keys import Subject
from nightshift.workplace import Workplace

__all__ = ["gather"]


def gather(workplace: Workplace, subject: Subject) -> None:
    """Release the candidates of an exposure's quadrants that ended. May run again; quadrants that come later follow.

    `release` guards against floods: a quadrant with more alerts than the sky can have is withheld, and a human is
    called.
    """
    if subject.kind not in (JobKind.SCIENCE, JobKind.DIFFERENCE):
        return
    rows = workplace.ledger.rows(
        "workflow", "units_to_release",
        instrument=subject["instrument"], exposure_id=subject["exposure_id"], campaign=subject.campaign,
    )  # fmt: skip
    if rows:
        release(workplace, [row["unit_key"] for row in rows])
