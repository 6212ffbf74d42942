"""The accounting's part of the double."""

from types import SimpleNamespace

__all__ = ["JobFilter", "Jobs"]


class JobFilter:
    """What to ask for."""

    def __init__(self, *, names, start_time):
        self.names, self.start_time = names, start_time


class Jobs(dict):
    """The accounting's jobs by id."""

    @staticmethod
    def load(wanted):
        """Return the jobs of some names."""
        import pyslurm

        rows = [row for row in pyslurm.record()["accounted"] if row["name"] in wanted.names]
        return Jobs(
            (row["id"], SimpleNamespace(**row | {"stats": SimpleNamespace(max_resident_memory=row["memory"])}))
            for row in rows
        )
