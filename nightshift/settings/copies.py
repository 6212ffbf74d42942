"""Where the second copy of every file is kept, and how often both are read again."""

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator
from pydantic import Field as Key

from nightshift.settings.base_table import Positive, Table

__all__ = ["BUCKET", "CopyPolicy"]

BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")


def _place(text: str) -> str:
    if "://" in text and not BUCKET.fullmatch(text):
        raise ValueError("a folder, or s3://bucket/prefix")
    if not text.isprintable():
        raise ValueError("a folder's name that can be printed")
    return text.rstrip("/") if text != "/" else text


def _endpoint(text: str) -> str:
    if text and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._/-]*)?", text):
        raise ValueError("an address such as https://s3.example.org:9000, without a name and a password in it")
    return text


def _below(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError("a folder below the depot is allowed, without `..`")
    return text


# --- policy.toml -------------------------------------------------------------------------------------------


class CopyPolicy(Table):
    """Where the second copy of raw frames and archived files is kept, and how often both places are read again."""

    to: Annotated[str, AfterValidator(_place)] = ""  # folder (below no root: beside the depot) or s3://bucket/prefix
    same_device: bool = False  # true: the folder may lie on the disk of the depot, with which it would be lost
    endpoint: Annotated[str, AfterValidator(_endpoint)] = ""  # of an S3-compatible store; none: Amazon's
    region: str = "us-east-1"  # of the bucket
    at_once: Annotated[int, Key(ge=1, le=64)] = 4  # files copied, or read, at the same time
    timeout_s: Positive = 30.0  # a store that does not answer for so long is away
    mail_waits_s: Positive = 60.0  # for a night's copies at most; what is not copied by then follows
    verify_within_days: Annotated[int, Key(ge=2)] = 90  # every archived file and copy is read again
    verify_gb_a_day: Positive = 2000.0  # of the archive at most, and as much of the copies
    purge_lists: Annotated[str, AfterValidator(_below)] = "purge"  # below the depot: what the mountain may purge
