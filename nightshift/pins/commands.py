"""The command ``nightshift settings``: what a night was opened with, and how a change is made to hold now."""

import argparse

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line's subparsers."""
    from nightshift.night_end.commands import night_of_text

    settings = subparsers.add_parser("settings", help="see the settings a night was opened with, or change them now")
    actions = settings.add_subparsers(title="actions", metavar="<action>", required=True)
    show = actions.add_parser(
        "show",
        help="say what the night under way was opened with, and what differs by now",
        description="Exit code 1 if the files or the code differ from what the night was opened with.",
    )
    show.set_defaults(run=_show)
    adopt = actions.add_parser(
        "adopt",
        help="make the settings of the files hold for an open night now",
        description="A change of config/<survey> takes effect with the next night. This makes it hold for a night "
        "that is open; who asked for it, why, and each value before and after are kept in the audit.",
    )
    adopt.add_argument("--night", type=night_of_text, required=True, help="the date of its evening, as 2026-01-31")
    adopt.add_argument("--site", help="whose night, where the survey has several sites")
    adopt.add_argument("--reason", required=True, help="why; kept with your name")
    adopt.add_argument("--operator", help="who you are (default: the account that runs this)")
    adopt.set_defaults(run=_adopt)


def _show(_: argparse.Namespace) -> int:
    from nightshift.clock import clock_from_environment
    from nightshift.context import survey_name
    from nightshift.ledger import open_ledger
    from nightshift.pins.changes import changes_since_opening
    from nightshift.pins.pinned import nights_under_way

    name, now = survey_name(), clock_from_environment().now()
    with open_ledger() as ledger:
        rows, changes = nights_under_way(ledger, name, now), changes_since_opening(ledger, name, now)
    if not rows:
        print(f"No night of {name} is under way: the next one is opened with what config/{name} holds.")
        return 0
    for row in rows:
        print(f"The night {row.night} was opened by code {row.code_version}, with these settings by stage:")
        by_instrument = row.settings_hashes or {}
        for instrument, hashes in sorted(by_instrument.items()):
            for stage, value in sorted(hashes.items()):
                print(f"  {instrument if len(by_instrument) > 1 else '':<12} {stage:<16} {value}".rstrip())
    print("\n".join(changes) or "Nothing has changed since.")
    return 1 if changes else 0


def _adopt(options: argparse.Namespace) -> int:
    from nightshift.clock import clock_from_environment
    from nightshift.context import survey_name
    from nightshift.ledger import open_ledger
    from nightshift.pins.changes import adopt
    from nightshift.process_owner import process_owner
    from nightshift.settings import load_deployment

    account, deployment = process_owner(), load_deployment(survey_name())
    surveys = deployment.surveys_of_site(deployment.site_named(options.site).name)
    with open_ledger() as ledger:
        print(
            adopt(
                ledger, surveys, options.night, operator=options.operator or account, reason=options.reason,
                account=account, now=clock_from_environment().now(),
            )
        )  # fmt: skip
    return 0
