"""The variables by which the processes of a stack are known."""

__all__ = ["MAIL_LOGIN", "PART", "SENDS_MAIL", "TOKEN"]

TOKEN = "NIGHTSHIFT_STACK"  # noqa: S105 - which stack a process belongs to: the folder of its home
PART = "NIGHTSHIFT_PART"  # which part of it
MAIL_LOGIN = ("NIGHTSHIFT_SMTP_USER", "NIGHTSHIFT_SMTP_PASSWORD")
SENDS_MAIL = "scheduler"  # its executor runs the tasks; no other part needs the login
