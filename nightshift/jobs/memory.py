"""The memory of a process while it works on a unit.

Images come and go by the dozen. The C library gives each back to the kernel and asks for the next, whose pages the
kernel fills with zeros one by one: a tenth of a quadrant's CPU time. While a unit is worked on, what is freed is kept
for the next image; when it is done, all of it is given back, so that a resident worker is small between its units.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["freed_memory_kept"]

# Of mallopt(3), the GNU C library's: what the parameters are called, and what they are while a unit runs and else
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_WORKING = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory until the block ends. Where the C library has no such settings, nothing changes."""
    library = _gnu_library()
    if library is None:
        yield
        return
    _set(library, _WORKING)
    try:
        yield
    finally:
        _set(library, _USUAL)
        library.malloc_trim(0)


def _set(library: ctypes.CDLL, parameters: dict[int, int]) -> None:
    for parameter, value in parameters.items():
        library.mallopt(parameter, value)


@cache
def _gnu_library() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
