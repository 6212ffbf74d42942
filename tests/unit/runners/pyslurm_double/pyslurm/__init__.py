"""A double of pyslurm: the names that releases 22.05 and 25.11 share, over a file of what a cluster holds.

It runs no job. ``record.json`` in the home folder has the jobs of the controller and of the accounting; what is
submitted and cancelled is written there. pyslurm's own oddities are kept: `array_task_id` is None for task 0, the
accounting's `comment` is empty, exit codes from 128 on lack 128, and the accounting has one record an id.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace

from . import db

__all__ = ["Job", "JobSubmitDescription", "Jobs", "RPCError", "db", "version"]

FIELDS = {
    "name", "comment", "script", "script_args", "array", "ntasks", "cpus_per_task", "nice", "memory_per_node",
    "time_limit", "working_directory", "standard_output", "environment", "is_requeueable", "log_files_open_mode",
    "kill_on_invalid_dependency", "partitions", "qos", "account", "excluded_nodes",
}  # fmt: skip


class RPCError(Exception):
    """SLURM's answer where it is an error."""

    def __init__(self, errno=-1, msg=None):
        super().__init__(msg)
        self.errno, self.msg = errno, msg


def version():
    """Return the release of SLURM that this pyslurm is for."""
    return record()["release"]


def record():
    """Return what the cluster holds."""
    return json.loads(Path(os.environ["HOME"], "record.json").read_text())


def keep(table):
    """Write what the cluster holds."""
    Path(os.environ["HOME"], "record.json").write_text(json.dumps(table))


class JobSubmitDescription:
    """A job to submit; a field that the releases do not share is an error."""

    def __init__(self, **fields):
        assert set(fields) <= FIELDS, set(fields) - FIELDS
        self.fields = fields

    def submit(self):
        """Put every task into the queue and return the job's id."""
        table = record()
        if table["refuse"]:
            raise RPCError(2000, table["refuse"])
        last = int(self.fields["array"].split("-")[1])
        if last >= table["longest"]:
            raise RPCError(2000, "Invalid job array specification")
        job_id = table["next_id"]
        table["next_id"] += 1
        table["submitted"].append(self.fields)
        table["jobs"].append(
            {
                "user_id": os.getuid(), "name": self.fields["name"], "comment": self.fields["comment"],
                "array_id": job_id, "array_task_id": None, "array_tasks_waiting": f"0-{last}", "state": "PENDING",
                "submit_time": table["now"], "start_time": None, "batch_host": None, "state_reason": "Priority",
                "requeue_count": 0,
            }
        )  # fmt: skip
        keep(table)
        return job_id


class Job:
    """A job by its id."""

    def __init__(self, job_id):
        self.id = job_id

    def cancel(self):
        """Cancel every task of it that has not ended."""
        table = record()
        mine = [job for job in table["jobs"] if job["array_id"] == self.id]
        if not mine:
            raise RPCError(2017, "Invalid job id specified")
        for job in mine:
            if job["state"] in ("PENDING", "RUNNING"):
                job["state"] = "CANCELLED"
        keep(table)


class Jobs(dict):
    """The controller's jobs by id."""

    @staticmethod
    def load():
        """Return all jobs of all users."""
        table = record()
        if table["away"]:
            raise RPCError(1, "Unable to contact slurm controller (connect failure)")
        return Jobs(enumerate(SimpleNamespace(**job) for job in table["jobs"]))
