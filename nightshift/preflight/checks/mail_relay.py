"""Whether the mail relay answers; nothing is sent."""

import smtplib
import ssl

from nightshift.night_end.mail import THIS_MACHINE, MailServer
from nightshift.preflight.check import Afternoon, Finding, check, green, red, yellow

__all__ = ["check_mail_relay"]

ANSWER_S = 10.0
SMTP_OK = 250


@check("mail", "Mail relay")
def check_mail_relay(afternoon: Afternoon) -> Finding:
    """Say hello and log in as the morning's mail does, and ask for nothing (NOOP)."""
    try:
        server = MailServer.from_environment()
    except ValueError as error:
        return red(f"{error}", "Correct NIGHTSHIFT_SMTP.")
    to = ", ".join(afternoon.context.night_policy.mail_to)
    if server is None:
        return yellow("NIGHTSHIFT_SMTP is not set: no mail goes out", "Set it to the relay's host:port.")
    try:
        with smtplib.SMTP(server.host, server.port, timeout=ANSWER_S) as connection:
            if server.user:
                if server.host not in THIS_MACHINE:
                    connection.starttls(context=ssl.create_default_context())
                connection.login(server.user, server.password or "")
            code, text = connection.noop()
    except (OSError, smtplib.SMTPException) as error:
        return red(f"{server.host}:{server.port} does not take mail: {error}", "Start or mend the relay.")
    if code != SMTP_OK:
        return red(f"{server.host}:{server.port} says {code} {text.decode(errors='replace')}", "Ask who runs it.")
    return green(f"{server.host}:{server.port} answers; the morning's mail goes to {to}")
