"""What runs on a node: ``python -m nightshift.jobs <kind> <job-file> [--unit I]``.

A node needs the job file, its inputs and a place to write; no database and no network.
"""
