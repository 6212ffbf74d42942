"""Every kind of work that is installed here.

The operator's own kinds are folders beside this module. A site adds one of its own by the entry point
``nightshift.kinds``, whose value is the `Kind` object: ``plates = "mysite.plates:KIND"``.
"""

from functools import cache
from importlib.metadata import entry_points

from nightshift.kinds.difference import KIND as DIFFERENCE
from nightshift.kinds.ingest import KIND as INGEST
from nightshift.kinds.kind import Kind
from nightshift.kinds.master import KIND as MASTER
from nightshift.kinds.moving_objects import KIND as MOVING_OBJECTS
from nightshift.kinds.reference import KIND as REFERENCE
from nightshift.kinds.science import KIND as SCIENCE

__all__ = ["kind_named", "kind_of_workflow", "kinds"]

OWN = (INGEST, MASTER, REFERENCE, SCIENCE, DIFFERENCE, MOVING_OBJECTS)
GROUP = "nightshift.kinds"


@cache
def kinds() -> tuple[Kind, ...]:
    """Return every kind, in the order in which what is due of them is asked for.

    Raises
    ------
    ValueError
        If two kinds have one name, or one workflow.
    """
    found = (*OWN, *(entry_point.load() for entry_point in entry_points(group=GROUP)))
    for what, names in (
        ("name", [kind.name for kind in found]),
        ("workflow", [workflow for kind in found for workflow in kind.workflows]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two kinds of work have the {what} {', '.join(twice)}: rename one of them")
    return tuple(sorted(found, key=lambda kind: kind.urgency))


@cache
def kind_named(name: str) -> Kind:
    """Return the kind of a name.

    Raises
    ------
    LookupError
        If none has it: a job of it was written where more is installed.
    """
    own = next((kind for kind in OWN if kind.name == name), None)
    found = own or next((kind for kind in kinds() if kind.name == name), None)
    if found is None:
        raise LookupError(
            f"no kind of work is called {name!r} here; there are {', '.join(sorted(k.name for k in kinds()))}"
        )
    return found


def kind_of_workflow(dag_id: str) -> Kind:
    """Return the kind that a workflow works on."""
    return next(kind for kind in kinds() if dag_id in kind.workflows)
