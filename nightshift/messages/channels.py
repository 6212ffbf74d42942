"""The ways to reach somebody: mail, a chat's webhook, and every service that Apprise knows.

None of them waits for another: each send runs in a thread of its own, and is waited for a limited time. One that has
not answered by then has failed for now; should it go through after all, the next try of the same message finds that.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import httpx

from nightshift.errors import NeedsOperator, NightshiftError, Retry
from nightshift.night_end.mail import MailServer
from nightshift.night_end.mail import send as send_mail
from nightshift.settings.messages import Channel
from nightshift.vocabulary import Reason

__all__ = ["Carrier", "Letter", "Outcome", "send"]

MAY_WORK_LATER = (408, 425, 429)  # HTTP answers that are no fault of ours
CONNECTION = "AIRFLOW_CONN_"  # of Airflow's connections in the environment: JSON, the URL is its password


@dataclass(frozen=True)
class Letter:
    """A message on its way.

    Parameters
    ----------
    key : str
        The same with each try: a receiver that looks at it sees a repeat as one.
    title, body : str
    sender : str
        Of mails.
    """

    key: str
    title: str
    body: str
    sender: str = "nightshift@localhost"


@dataclass(frozen=True)
class Outcome:
    """What became of one try.

    Parameters
    ----------
    told : bool
    text : str
        Why not; where it was told, who was left out.
    final : bool
        The same channel will not take it later either.
    """

    told: bool
    text: str = ""
    final: bool = False


def send(channel: Channel, letter: Letter) -> str:
    """Give a message off by a channel; return who was left out, in words, empty where nobody was.

    Raises
    ------
    Retry
        If it may work later.
    NeedsOperator
        If it will not: the channel's address is missing or wrong, or its service refuses it.
    """
    if channel.kind == "mail":
        return _mail(channel, letter)
    url = _address(channel)
    if channel.kind == "webhook":
        _post(url, letter)
    else:
        _by_apprise(url, letter)
    return ""


def _mail(channel: Channel, letter: Letter) -> str:
    server = MailServer.from_environment()
    if server is None:
        raise NeedsOperator(Reason.INTERNAL_ERROR, "NIGHTSHIFT_SMTP is not set: no mail can be sent")
    mail = EmailMessage()
    mail["Subject"] = " ".join(letter.title.split())
    mail["From"] = letter.sender
    mail["To"] = ", ".join(channel.to)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<nightshift.{letter.key}.{channel.name}@{letter.sender.rpartition('@')[2] or 'localhost'}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.body)
    refused = send_mail(mail, server)
    return f"the mail server refused {', '.join(refused)}" if refused else ""


def _address(channel: Channel) -> str:
    """Return the URL that a channel's environment variable holds."""
    text = os.environ.get(channel.variable or "", "").strip()
    if (channel.variable or "").startswith(CONNECTION) and text.startswith("{"):
        try:
            text = str(json.loads(text).get("password") or "")
        except ValueError:
            text = ""
    if not text:
        raise NeedsOperator(Reason.INTERNAL_ERROR, f"{channel.variable} is not set or holds no URL")
    return text


def _post(url: str, letter: Letter) -> None:
    said = {"text": f"{letter.title}\n\n{letter.body}", "title": letter.title, "key": letter.key}
    try:
        answer = httpx.post(url, json=said, headers={"Idempotency-Key": letter.key}, timeout=30)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise NeedsOperator(Reason.INTERNAL_ERROR, "the webhook's URL does not read") from None
    except httpx.HTTPError as error:  # its text may repeat the URL, which is a secret
        raise Retry(Reason.INTERNAL_ERROR, f"the webhook does not answer ({type(error).__name__})") from None
    if answer.is_success:
        return
    said_no = f"the webhook answered {answer.status_code} {answer.reason_phrase}"
    if answer.is_server_error or answer.status_code in MAY_WORK_LATER:
        raise Retry(Reason.INTERNAL_ERROR, said_no)
    raise NeedsOperator(Reason.INTERNAL_ERROR, said_no)


def _by_apprise(url: str, letter: Letter) -> None:
    import apprise  # many services: loaded where one is used

    service = apprise.Apprise()
    if not service.add(url):
        raise NeedsOperator(Reason.INTERNAL_ERROR, "its URL is none that Apprise knows")
    if not service.notify(title=letter.title, body=letter.body):
        raise Retry(Reason.INTERNAL_ERROR, f"{service[0].service_name} did not take the message")


class Carrier:
    """Sends several messages at once, one a channel, and waits for none longer than it may take.

    Parameters
    ----------
    answer_within_s : float
    send : callable, optional
        What sends one message by one channel, as `send` does.
    """

    def __init__(self, answer_within_s: float, send: Callable[[Channel, Letter], str] = send):
        self._within_s, self._send = answer_within_s, send
        self._busy: dict[str, threading.Thread] = {}
        self._ended: dict[tuple[str, str], Outcome] = {}  # by channel and message, also of those that answered late

    def carry(self, letters: Mapping[str, tuple[Channel, Letter]]) -> dict[str, Outcome]:
        """Send by each channel, by its name, what is to go out by it; return what became of each."""
        for name, (channel, letter) in letters.items():
            earlier, late = self._busy.get(name), self._ended.get((name, letter.key))
            if (earlier is not None and earlier.is_alive()) or (late is not None and late.told):
                continue
            self._ended.pop((name, letter.key), None)
            self._busy[name] = threading.Thread(target=self._try, args=(channel, letter), daemon=True)
            self._busy[name].start()
        until = time.monotonic() + self._within_s
        for name in letters:
            if (own := self._busy.get(name)) is not None:
                own.join(max(0.0, until - time.monotonic()))
        waits = Outcome(False, f"no answer within {self._within_s:g} s")
        return {name: self._ended.pop((name, letter.key), waits) for name, (_, letter) in letters.items()}

    def _try(self, channel: Channel, letter: Letter) -> None:
        try:
            outcome = Outcome(True, self._send(channel, letter))
        except Retry as error:
            outcome = Outcome(False, str(error))
        except NightshiftError as error:
            outcome = Outcome(False, str(error), final=True)
        except Exception as error:  # noqa: BLE001 - a service's library may raise anything: it failed, and is told
            outcome = Outcome(False, f"a defect: {type(error).__name__}")
        self._ended[channel.name, letter.key] = outcome
