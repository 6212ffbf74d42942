"""The sink of the one-machine night takes mails from whoever knows its password."""

from dataclasses import replace
from email.message import EmailMessage

import pytest

from nightshift.errors import Retry
from nightshift.night_end.mail import send

pytestmark = pytest.mark.integration


def mail(subject: str) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "nightshift@localhost", "operator@localhost"
    made.set_content("The night is closed.")
    return made


def test_the_nights_own_mail_is_kept(guarded_sink):
    server, folder = guarded_sink
    assert send(mail("of the night"), server) == []
    assert len(list(folder.glob("*.eml"))) == 1


@pytest.mark.parametrize("changed", [{"user": None, "password": None}, {"password": "guessed"}, {"password": ""}])
def test_a_forged_mail_of_somebody_else_on_the_machine_is_refused(guarded_sink, changed):
    server, folder = guarded_sink
    with pytest.raises(Retry, match="did not take the mail"):
        send(mail("forged"), replace(server, **changed))
    assert not folder.exists() or not list(folder.glob("*.eml"))
