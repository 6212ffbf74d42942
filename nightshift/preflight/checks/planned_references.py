"""Whether the planned fields have references."""

from nightshift.preflight.check import Afternoon, Finding, check, counted_as, green, unknown, yellow

__all__ = ["check_references"]

NAMED = 4


@check("references", "References")
def check_references(afternoon: Afternoon) -> Finding:
    """Count the planned fields and filters of which some quadrant has no reference."""
    if afternoon.plan is None:
        return unknown("Which fields are planned is not known: the night has no plan.", "See why: nightshift plan.")
    every = [reference for camera in afternoon.plan.cameras for reference in camera.references]
    lacking = [reference for reference in every if not reference.is_whole]
    if not lacking:
        counted = counted_as(len(every), "field and filter", "fields and filters")
        return green(f"{counted} planned, each with its references", number=0, unit="lacking")
    named = ", ".join(f"{each.field} {each.filter}" for each in lacking[:NAMED])
    more = ", ..." if len(lacking) > NAMED else ""
    never = sum(each.what.startswith("none") for each in lacking)
    sentence = f"{len(lacking)} of {len(every)} planned fields and filters lack references ({named}{more})"
    if never:
        sentence += f"; {never} get none tonight and send no alerts"
    return yellow(sentence, "Nothing, where that is meant; the plan says when each is made.", number=len(lacking))
