"""The commands ``messages`` and ``heartbeat-receiver``."""

import argparse
import getpass
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.messages.listeners import Listeners

__all__ = ["register"]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the command line's subparsers."""
    messages = subparsers.add_parser("messages", help="what people were told, who hears what, and what waits for you")
    actions = messages.add_subparsers(title="actions", metavar="<action>", required=True)

    listing = actions.add_parser(
        "list", help="the latest messages, and what nobody has acknowledged", description="The newest first."
    )
    listing.add_argument("--most", type=int, default=20, metavar="NUMBER", help="default: %(default)s")
    listing.set_defaults(run=_list)

    show = actions.add_parser("show", help="one message whole, what it told of, and whom it reached")
    show.add_argument("key", help="of the message, such as 20260131-4")
    show.set_defaults(run=_show)

    acknowledge = actions.add_parser(
        "acknowledge",
        help="say that you look after what a message told: nobody else is called",
        description="Stops the repeats of everything that the message told of. It is kept in the audit.",
    )
    acknowledge.add_argument("key", help="of the message, such as 20260131-4")
    acknowledge.add_argument("--operator", required=True, help="who you are")
    acknowledge.set_defaults(run=_acknowledge)

    test = actions.add_parser("test", help="send a test message by a channel")
    test.add_argument("channel", help="its name; `nightshift messages rules` lists them")
    test.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    test.set_defaults(run=_test)

    rules = actions.add_parser("rules", help="who would hear what now")
    rules.set_defaults(run=_rules)

    run = actions.add_parser(
        "run",
        help="tell people, until it is ended",
        description="The process that reads events and tells people. One of it is enough; a second one waits.",
    )
    run.add_argument(
        "--folder", type=Path, required=True, help="where it remembers what must not depend on the ledger"
    )
    run.set_defaults(run=_run)
    _add_receiver(subparsers)


def _add_receiver(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    receiver = subparsers.add_parser(
        "heartbeat-receiver",
        help="wait for the heartbeat of another machine, and tell people when it stops",
        description="Runs on another machine than the one that it watches and needs nothing of it. Environment: "
        "NIGHTSHIFT_HEARTBEAT_SECRET, shared with the sender; NIGHTSHIFT_HEARTBEAT_TELL, who is told, separated by "
        "spaces: addresses of mail (by NIGHTSHIFT_SMTP), webhook:NAME or apprise:NAME with an environment variable "
        "NAME that holds the URL.",
    )
    receiver.add_argument("--listen", default="127.0.0.1:8099", metavar="HOST:PORT", help="default: %(default)s")
    receiver.add_argument("--folder", type=Path, required=True, help="where it remembers what it heard and told")
    receiver.add_argument(
        "--within", type=float, default=300.0, metavar="SECONDS",
        help="so long without a beat that says that all is well: people are told (default: %(default)s)",
    )  # fmt: skip
    receiver.add_argument("--from", dest="sender", default="nightshift@localhost", help="sender of mails")
    receiver.add_argument("--unsigned", action="store_true", help="take beats that nobody signed")
    receiver.set_defaults(run=_receive)


def _list(options: argparse.Namespace) -> None:
    from nightshift.ledger import open_ledger
    from nightshift.ledger.queries import messages as message_queries

    same_for_s = _listeners().settings.same_for_s
    with open_ledger() as ledger:
        for row in message_queries.latest_messages(ledger, most=options.most):
            stands = f"{'told' if row.told else 'NOT TOLD YET'}{', acknowledged' if row.acknowledged else ''}"
            print(f"{row.message_key}  {row.made_at:%Y-%m-%d %H:%M}  {row.person}  {row.title}  ({stands})")
        for trouble in message_queries.waiting_troubles(ledger, same_for_s=same_for_s, most=options.most):
            times = f" ({trouble.times} times)" if trouble.times > 1 else ""
            print(f"  waits for somebody: {trouble.kind} {trouble.subject}: {trouble.message}{times}")
        for failed in message_queries.failing_channels(ledger):
            print(
                f"  the channel {failed.channel} has failed since {failed.since:%Y-%m-%d %H:%M} UTC: {failed.error}"
            )


def _show(options: argparse.Namespace) -> None:
    from nightshift.errors import BadInput
    from nightshift.ledger import open_ledger
    from nightshift.ledger.queries import messages as message_queries
    from nightshift.vocabulary import Reason

    with open_ledger() as ledger:
        message = message_queries.message(ledger, message_key=options.key)
        if message is None:
            raise BadInput(
                Reason.INTERNAL_ERROR, f"there is no message {options.key!r}: `nightshift messages list` shows them"
            )
        print(f"To {message.person}, {message.made_at:%Y-%m-%d %H:%M} UTC\n{message.title}\n\n{message.body}")
        for each in message_queries.deliveries_of(ledger, message_key=options.key):
            told = f"told at {each.told_at:%H:%M:%S} UTC" if each.told_at else each.state
            print(f"{each.channel}: {told}, {each.tries} tries{f': {each.error}' if each.error else ''}")
        for trouble in message_queries.troubles_of(ledger, message_key=options.key):
            acknowledged = f", {trouble.acknowledged_by} looks after it" if trouble.acknowledged_by else ""
            over = f", over at {trouble.ended_at:%H:%M} UTC" if trouble.ended_at else ""
            print(
                f"- {trouble.kind} {trouble.subject}: {trouble.message} ({trouble.times} times{over}{acknowledged})"
            )


def _acknowledge(options: argparse.Namespace) -> None:
    from nightshift.ledger import open_ledger
    from nightshift.messages.acknowledging import acknowledge

    with open_ledger() as ledger:
        troubles = acknowledge(ledger, options.key, operator=options.operator, account=_account())
    print(f"{len(troubles)} acknowledged" if troubles else "all of it was acknowledged before")
    for trouble in troubles:
        print(f"- {trouble.kind} {trouble.subject}".rstrip())


def _account() -> str:
    with suppress(OSError, KeyError):  # a container's user may have no name
        return getpass.getuser()
    return str(os.getuid())


def _test(options: argparse.Namespace) -> int:
    from nightshift.messages.channels import Carrier, Letter
    from nightshift.settings import SettingsError

    listeners = _listeners()
    channel = listeners.channels.get(options.channel)
    if channel is None:
        raise SettingsError(f"there is no channel {options.channel!r}; there are {', '.join(listeners.channels)}")
    title = "Nightshift: a test"
    letter = Letter("test", title, "Nothing is wrong: somebody tried this channel.\n", listeners.mail_from)
    where = f"to {', '.join(channel.to)}" if channel.kind == "mail" else f"to the URL in {channel.variable}"
    if options.dry_run:
        print(f"would be sent by {channel.kind} {where}:\n{letter.title}\n\n{letter.body}", end="")
        return 0
    outcome = Carrier(listeners.settings.answer_within_s).carry({channel.name: (channel, letter)})[channel.name]
    why = f": {outcome.text}" if outcome.text else ""
    print(f"{'sent' if outcome.told else 'not sent'} by {channel.kind} {where}{why}")
    return 0 if outcome.told and not outcome.text else 1


def _rules(_: argparse.Namespace) -> None:
    from nightshift.messages.who_hears import lines

    print("\n".join(lines(_listeners(), _open_sites())))


def _listeners() -> "Listeners":
    from nightshift.context import deployment_from_environment
    from nightshift.messages.listeners import Listeners

    return Listeners.of(deployment_from_environment())


def _open_sites() -> list[str]:
    from nightshift.clock import clock_from_environment
    from nightshift.ledger import open_ledger
    from nightshift.ledger.queries import messages as message_queries

    with open_ledger() as ledger:
        nights = message_queries.nights_under_way(ledger, now=clock_from_environment().now())
    return sorted({row.site for row in nights})


def _run(options: argparse.Namespace) -> None:
    import logging
    import signal

    from nightshift.messages.messenger import Messenger

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes the URLs, which are secrets
    messenger = Messenger(options.folder)
    signal.signal(signal.SIGTERM, messenger.stop)
    signal.signal(signal.SIGINT, messenger.stop)
    messenger.run()


def _receive(options: argparse.Namespace) -> None:
    import logging

    from nightshift.messages.receiver_server import receiver_from, run_receiver
    from nightshift.settings import SettingsError

    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"--listen {options.listen}: write <host>:<port>, such as 0.0.0.0:8099")
    if options.within <= 0:
        raise SettingsError(f"--within {options.within:g}: a number of seconds above 0")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    receiver = receiver_from(options.folder, options.within, options.sender, unsigned=options.unsigned)
    run_receiver(receiver, host, int(port))
