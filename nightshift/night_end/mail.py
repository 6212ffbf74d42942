"""A mail with a text, a page and pictures, and the way out by SMTP."""

import os
import re
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from nightshift.errors import Retry
from nightshift.night_end.report_elements import Picture
from nightshift.settings import Deployment
from nightshift.vocabulary import Reason

__all__ = ["MailServer", "compose", "message_id", "next_message_id", "send"]

SERVER, USER, PASSWORD = "NIGHTSHIFT_SMTP", "NIGHTSHIFT_SMTP_USER", "NIGHTSHIFT_SMTP_PASSWORD"
TIMEOUT_S = 30.0
THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class MailServer:
    """Where mails are given off.

    Parameters
    ----------
    host, port
    user, password : str or None
        Where the server asks for them; then the connection is encrypted first, or nothing is sent. A connection to
        this machine itself needs no encryption.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls) -> "MailServer | None":
        """Return the server that ``NIGHTSHIFT_SMTP`` (host:port) names, or None where it names none."""
        text = os.environ.get(SERVER, "")
        if not text:
            return None
        host, colon, port = text.rpartition(":")
        if not colon:
            host, port = text, "25"
        if not host or not port.isdecimal():
            raise ValueError(f"{SERVER}={text!r}: write <host>:<port>, such as localhost:2525")
        return cls(host.strip("[]"), int(port), os.environ.get(USER), os.environ.get(PASSWORD))


def message_id(deployment: Deployment, night: date) -> str:
    """Return the Message-ID of a night's first summary: always the same, so that a repeat is known as one."""
    survey = deployment.surveys[0]
    domain = survey.night.mail_from.rpartition("@")[2] or "localhost"
    name = f"{deployment.name}.{deployment.site.name}" if deployment.has_several_sites else deployment.name
    return f"<nightshift.{name}.{night:%Y%m%d}.summary.1@{re.sub(r'[^A-Za-z0-9.-]', '-', domain)}>"


def next_message_id(previous: str) -> str:
    """Return the Message-ID of the correction that follows a mail."""
    match = re.fullmatch(r"(<.*\.)(\d+)(@[^@]+>)", previous)
    if match is None:
        raise ValueError(f"{previous!r} is no Message-ID of a night's summary")
    return f"{match[1]}{int(match[2]) + 1}{match[3]}"


def compose(
    *,
    subject: str,
    sender: str,
    to: Sequence[str],
    identity: str,
    answers: str | None = None,
    text: str,
    page: Callable[[Mapping[str, str]], str],
    pictures: Sequence[Picture],
) -> EmailMessage:
    """Put a mail together.

    Parameters
    ----------
    subject, sender, to
    identity : str
        The Message-ID.
    answers : str, optional
        The Message-ID of the mail that this one corrects.
    text : str
    page : callable
        Given the address of each picture by its name, returns the HTML.
    pictures : sequence of Picture
        Become inline parts that the page refers to.

    Returns
    -------
    EmailMessage
        multipart/alternative: the text, and the page together with its pictures.
    """
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(datetime.now(UTC))  # the machine's: a replayed night is mailed today
    mail["Message-ID"] = identity
    mail["Auto-Submitted"] = "auto-generated"
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    mail.set_content(text)
    domain = identity.rpartition("@")[2].rstrip(">")
    names = {picture.name: f"{picture.name}.{identity.split('@')[0].lstrip('<')}@{domain}" for picture in pictures}
    mail.add_alternative(page({name: f"cid:{cid}" for name, cid in names.items()}), subtype="html")
    body = mail.get_payload()[1]  # type: ignore[index]
    for picture in pictures:
        body.add_related(  # type: ignore[union-attr]
            picture.png, "image", "png", cid=f"<{names[picture.name]}>", filename=f"{picture.name}.png",
            disposition="inline",
        )  # fmt: skip
    return mail


def send(mail: EmailMessage, server: MailServer) -> list[str]:
    """Give a mail off; returns when the server has accepted it.

    Returns
    -------
    list of str
        The recipients that the server refused while it took the mail for others.

    Raises
    ------
    Retry
        If it took it for nobody, with what it said.
    """
    try:
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S) as connection:
            if server.user:
                if server.host not in THIS_MACHINE:
                    connection.starttls(context=ssl.create_default_context())
                connection.login(server.user, server.password or "")
            return sorted(connection.send_message(mail))
    except (OSError, smtplib.SMTPException) as error:
        raise Retry(
            Reason.INTERNAL_ERROR, f"the mail server {server.host}:{server.port} did not take the mail: {error}"
        ) from error
