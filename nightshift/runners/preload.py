"""Importing this module warms a process up for reduction work.

The pool's fork server imports it once; every worker is then a fork of that process: ready at once, also after
a crash, and its libraries and compiled kernels are in memory only once.
"""

import logging

try:
    from nightshift.jobs.warm import warm_up

    warm_up()
except Exception:
    logging.getLogger(__name__).exception("warming up failed: the workers start cold")
