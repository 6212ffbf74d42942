"""Command lines about a night that people copy from the mail into a shell."""

import re
import shlex
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.ledger.queries.night_end import LoudEvent
from nightshift.vocabulary import event_kind

__all__ = ["Commands"]


@dataclass(frozen=True)
class Commands:
    """Writes command lines about a night and its things, to be copied into a shell.

    Parameters
    ----------
    night : date
    site : str
        Empty where the survey has one: then no command needs it.
    """

    night: date
    site: str = ""

    @classmethod
    def of(cls, context: Context, night: date) -> "Commands":
        """Return what writes commands about a night of the context's site."""
        return cls(night, context.site.name if context.deployment.has_several_sites else "")

    def of_night(self, verb: str) -> str:
        """Return a command that takes the night."""
        site = f" --site {shlex.quote(self.site)}" if self.site else ""
        return f"nightshift {verb} {self.night:%Y%m%d}{site}"

    def of_thing(self, verb: str, thing: str) -> str:
        """Return a command that takes one thing; where its name is none that may be copied, one about the night."""
        return f"nightshift {verb} {shlex.quote(thing)}" if _may_be_copied(thing) else self.of_night("night")

    def of_event(self, event: LoudEvent) -> str:
        """Return the command that goes with an event's kind, with its night and its subject put in.

        Where the kind has none, or the subject may not be copied, it is one about the night.
        """
        kind = event_kind(event.kind)
        if kind is None or not kind.command:
            return self.of_night("night")
        known = {"night": f"{self.night:%Y%m%d}", "site": self.site, "file": event.subject, "unit": event.subject,
                 "master": event.subject, "job": event.subject, "candid": event.subject}  # fmt: skip
        wanted = re.findall(r"<(\w+)>", kind.command)
        if not all(_may_be_copied(known.get(name, "")) for name in wanted if name != "site"):
            return self.of_night("night")
        command = kind.command if self.site else kind.command.replace(" --site <site>", "")
        if self.site and "<night>" in command and "<site>" not in command:
            command += " --site <site>"
        return re.sub(r"<(\w+)>", lambda match: shlex.quote(known[match[1]]), command)


def _may_be_copied(text: str) -> bool:
    """Whether a name may stand in a command that a person copies: names of files come from outside."""
    return bool(text) and text.isascii() and text.isprintable() and not text.startswith("-")
