"""Second copies in a bucket of a store that speaks S3."""

import os
from collections.abc import Iterable, Iterator
from datetime import timedelta

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from nightshift.archive.copy_place import CopyPlace, Gone, PlaceAway
from nightshift.files import CHUNK
from nightshift.settings.copies import BUCKET, CopyPolicy

__all__ = ["BucketPlace"]

PART_BYTES = 8 << 20
PARTS_MOST = 9_000  # S3 allows 10,000
# any of these: who may write is said there, by variables or by what the machine's own service hands out
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")


class BucketPlace(CopyPlace):
    """A bucket, or a prefix in one. An object appears whole there, by the protocol.

    Parameters
    ----------
    policy : CopyPolicy
        Its `to` is of the form ``s3://bucket/prefix``. Who writes is said by the environment, as Amazon's programs
        read it: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``.
    """

    def __init__(self, policy: CopyPolicy):
        super().__init__(policy.to)
        found = BUCKET.fullmatch(policy.to)
        assert found is not None  # the settings were checked
        if not any(os.environ.get(name) for name in CREDENTIALS):
            raise PlaceAway(
                f"nobody says who may write to {policy.to}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
                "environment from which Nightshift is started"
            )
        self._bucket, answer = found["bucket"], timedelta(seconds=policy.timeout_s)
        self._store = S3Store(
            self._bucket,
            prefix=found["prefix"] or None,
            endpoint=policy.endpoint or None,
            region=policy.region,
            virtual_hosted_style_request=not policy.endpoint,
            client_options={
                "allow_http": policy.endpoint.startswith("http://"),
                "timeout": answer,
                "connect_timeout": min(answer, timedelta(seconds=5)),
            },
            retry_config={"max_retries": 2, "retry_timeout": answer},
        )

    def write(self, key: str, chunks: Iterable[bytes], size: int) -> None:
        """Let an object appear whole; see `CopyPlace.write`. A large one is sent in parts and joined at the end."""
        part = max(PART_BYTES, size // PARTS_MOST + 1)
        try:
            self._store.put(key, iter(chunks), chunk_size=part, max_concurrency=2)
        except (BaseError, OSError) as error:
            raise self._away(error) from error

    def read(self, key: str) -> Iterator[bytes]:
        """Yield an object's content; `Gone` where there is none."""
        try:
            found = self._store.get(key)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._away(error) from error
            raise Gone(key) from None
        except (BaseError, OSError) as error:
            raise self._away(error) from error
        return self._streamed(found.stream(min_chunk_size=CHUNK))

    def _streamed(self, stream: Iterable[object]) -> Iterator[bytes]:
        try:
            for chunk in stream:
                yield bytes(chunk)  # type: ignore[call-overload]
        except (BaseError, OSError) as error:
            raise self._away(error) from error

    def size(self, key: str) -> int | None:
        """Return how many bytes an object has, or None where there is none."""
        try:
            return int(self._store.head(key)["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._away(error) from error

    def set_aside(self, key: str, aside: str) -> None:
        """Keep what an object holds under another key too."""
        try:
            self._store.copy(key, aside)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise self._away(error) from error

    def remove(self, key: str) -> None:
        """Remove an object, where there is one."""
        try:
            self._store.delete(key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> PlaceAway:
        said = " ".join(str(error).partition("Debug source")[0].split())[:300]
        if "NoSuchBucket" in str(error):
            return PlaceAway(f"{self.name}: no bucket {self._bucket} there; make it, or correct copies.to ({said})")
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return PlaceAway(
                f"{self.name} refuses us: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they allow ({said})"
            )
        return PlaceAway(f"{self.name} does not answer as it should: check copies.endpoint and the store ({said})")
