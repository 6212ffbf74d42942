"""Warming a process up takes the small field through every step that it names."""

from nightshift.jobs.warm import warm_up


def test_a_process_can_be_warmed_up():
    warm_up()
