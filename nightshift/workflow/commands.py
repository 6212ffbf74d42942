"""The commands ``nightshift due``, ``explain``, ``accept`` and ``reject``."""

import argparse

__all__ = ["register"]

A_THING = (
    "a file's name, an arrival's key, the key of an exposure, a frame, a unit, a master or a reference as the mail "
    "and the pages write it, or an alert's candid"
)


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the command line's subparsers."""
    due = subparsers.add_parser("due", help="list the workflow runs that are due now; changes nothing")
    due.set_defaults(run=_due)
    explain = subparsers.add_parser("explain", help="tell the whole story of one thing")
    explain.add_argument("thing", help=A_THING)
    explain.set_defaults(run=_explain)
    for verdict, text in (
        ("accept", "use a frame whatever the checks say of it: a rejected unit, or a whole file in quarantine"),
        ("reject", "do not use it any more, whatever the checks say of it"),
    ):
        parser = subparsers.add_parser(verdict, help=text)
        parser.add_argument("thing", help=A_THING)
        parser.add_argument("--reason", required=True, help="why; kept with your name")
        parser.add_argument("--operator", required=True, help="who you are")
        parser.set_defaults(run=_dispose, verdict=verdict)


def _due(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.workflow.due_runs import due_runs

    with open_context() as context:
        requests = due_runs(context)
    for request in requests:
        print(request.dag_id, request.run_id, " ".join(f"{key}={value}" for key, value in request.conf.items()))
    print(f"{len(requests)} due")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.workflow.explain import explain

    with open_context() as context:
        lines = explain(context, options.thing)
    print("\n".join(lines) or f"The ledger knows nothing of {options.thing!r}.")
    return 0 if lines else 1


def _dispose(options: argparse.Namespace) -> int:
    from nightshift.context import open_context
    from nightshift.process_owner import process_owner
    from nightshift.workflow.overrides import dispose, read_disposal

    request = read_disposal({"frame": options.thing, "verdict": options.verdict, "explanation": options.reason})
    with open_context() as context:
        print(dispose(context, request, operator=options.operator, account=process_owner()))
    return 0
