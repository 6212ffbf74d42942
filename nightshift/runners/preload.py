"""Importing this module warms a process up for reduction work.

The pool's fork server imports it once; every worker is then a fork of that process: ready at once, also after
a crash, and its libraries and compiled kernels are in memory only once.
"""

import logging

try:
    from nightshift.code_version import code_version
    from nightshift.jobs.warm import warm_up

    code_version()  # of what is imported here: the checkout may have another commit when a worker is forked
    warm_up()
except Exception:
    logging.getLogger(__name__).exception("warming up failed: the workers start cold")
