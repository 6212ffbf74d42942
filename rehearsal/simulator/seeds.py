"""Random numbers that depend on a seed and on names, never on the order of the work."""

import hashlib

import numpy as np

__all__ = ["generator"]


def generator(seed: int, *names: object) -> np.random.Generator:
    """Return the random generator that belongs to these names.

    Parameters
    ----------
    seed : int
        The night's seed.
    *names : object
        What the numbers are for; their text is hashed into the spawn key, so that exposures can be made in
        any order and by any number of processes.
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))
