"""The variables by which the processes of a stack are known."""

__all__ = ["PART", "TOKEN"]

TOKEN = "NIGHTSHIFT_STACK"  # noqa: S105 - which stack a process belongs to: the folder of its home
PART = "NIGHTSHIFT_PART"  # which part of it
