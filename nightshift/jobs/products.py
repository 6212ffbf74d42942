"""Put products into an attempt's folder, whole and with their checksums."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nightshift.files import new_file, sha256_of
from nightshift.jobs.contract import Input, Product

__all__ = ["Stopwatch", "product_of_bytes", "write_product"]


def write_product(
    folder: Path, kind: str, name: str, write: Callable[[BinaryIO], object], *, inputs: tuple[Input, ...] = ()
) -> Product:
    """Write one product.

    Parameters
    ----------
    folder : Path
        The attempt's own.
    kind, name : str
        What it is; its file name.
    write : callable
        Called with the open file.
    inputs : tuple of Input
        What it was made from.
    """
    path = folder / name
    with new_file(path) as stream:
        write(stream)
    return Product(kind, name, sha256_of(path), path.stat().st_size, inputs)


def product_of_bytes(
    folder: Path, kind: str, name: str, content: bytes, *, inputs: tuple[Input, ...] = ()
) -> Product:
    """Write one product whose bytes are at hand."""
    with new_file(folder / name) as stream:
        stream.write(content)
    return Product(kind, name, hashlib.sha256(content).hexdigest(), len(content), inputs)


class Stopwatch:
    """CPU seconds by step; the same step twice adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Time a block."""
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds[step] = round(self.seconds.get(step, 0.0) + time.process_time() - start, 4)
