"""Who sent a message: a signature in its header, by a key that the poster and its readers share.

A broker without accounts takes messages from whoever reaches its port. With ``NIGHTSHIFT_ALERT_KEY`` set the poster
signs each packet (HMAC with SHA-256, RFC 2104), and a reader that has the key sets aside what is not signed by it.
"""

import hashlib
import hmac
import os

__all__ = ["HEADER", "is_genuine", "key_from_environment", "signed_headers"]

Headers = dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]]  # as the Kafka client has them
VARIABLE = "NIGHTSHIFT_ALERT_KEY"
HEADER = "nightshift-signature"


def key_from_environment() -> bytes | None:
    """Return the key that signs alerts, None where none is set and nobody signs."""
    text = os.environ.get(VARIABLE, "")
    return text.encode() if text else None


def signed_headers(key: bytes | None, packet: bytes) -> Headers:
    """Return the headers of a message: its signature, nothing without a key."""
    return [] if key is None else [(HEADER, hmac.digest(key, packet, hashlib.sha256))]


def is_genuine(key: bytes | None, packet: bytes, headers: Headers | None) -> bool:
    """Whether a message was sent by somebody who has the key; without a key every message is taken for genuine."""
    if key is None:
        return True
    said = dict(headers or {}).get(HEADER)
    return isinstance(said, bytes) and hmac.compare_digest(said, hmac.digest(key, packet, hashlib.sha256))
