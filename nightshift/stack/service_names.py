"""The variables by which the processes of a stack are known."""

__all__ = ["FOR_MESSAGES", "MAIL_LOGIN", "MESSAGES", "PART", "SEND_MAIL", "TOKEN"]

TOKEN = "NIGHTSHIFT_STACK"  # noqa: S105 - which stack a process belongs to: the folder of its home
PART = "NIGHTSHIFT_PART"  # which part of it
MAIL_LOGIN = ("NIGHTSHIFT_SMTP_USER", "NIGHTSHIFT_SMTP_PASSWORD")
MESSAGES = "messages"  # the part that tells people
SEND_MAIL = ("scheduler", MESSAGES)  # the one's executor runs the tasks; no other part needs the login
FOR_MESSAGES = (
    "NIGHTSHIFT_FOR_MESSAGES"  # names of the variables with the secrets of the channels, which it alone sees
)
